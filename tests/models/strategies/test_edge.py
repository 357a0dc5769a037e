import numpy as np
import pytest
import torch

from models.criteria._chain import Exclusion
from models.normalisation import Statistics
from models.strategies._edge import ForwardOnly


def step(device, images):
    """Predict and conclude one batch."""
    return device.conclude(device.forward(images).result())


def test_without_criteria_nothing_is_kept(laboratory, images):
    decision = step(ForwardOnly(laboratory), images(3))
    assert decision.logits.shape == (3, 5)
    assert decision.verdicts == ["local"] * 3
    assert (decision.statistics, decision.announce) == (None, False)


def test_with_criteria_each_sample_has_a_verdict(laboratory, images):
    device = ForwardOnly(laboratory, exclusion=Exclusion({}), announces=True)
    decision = step(device, images(3))
    assert (decision.verdicts, decision.announce) == (["kept"] * 3, True)


def test_the_version_held_predicts(laboratory, images):
    device, other = ForwardOnly(laboratory), ForwardOnly(laboratory)
    before = step(device, images(3)).logits
    device.receive(4, laboratory.source_state * 1.5)
    assert (device.version, other.version) == (4, 0)
    assert not torch.allclose(step(device, images(3)).logits, before)
    torch.testing.assert_close(step(other, images(3)).logits, before, rtol=0, atol=0)


def test_the_first_batchs_statistics_stay_and_are_sent_once(laboratory, images):
    device = ForwardOnly(laboratory, statistics=Statistics.FIRST, sends_statistics=True)
    size = laboratory.edge.layout.affine_size
    first = step(device, images(6, 0))
    np.testing.assert_array_equal(first.statistics, device.state[size:])
    assert not np.array_equal(first.statistics, laboratory.source_state[size:])
    second = step(device, images(6, 1))
    assert second.statistics is None
    np.testing.assert_array_equal(device.state[size:], first.statistics)
    np.testing.assert_array_equal(device.state[:size], laboratory.source_state[:size])


def test_only_the_sender_sends(laboratory, images):
    device = ForwardOnly(laboratory, statistics=Statistics.FIRST)
    assert step(device, images(6)).statistics is None
    assert device.statistics == Statistics.RUNNING


def test_an_update_before_the_first_batch(laboratory, images):
    """Statistics that were sent replace the device's own."""
    device, layout = ForwardOnly(laboratory, statistics=Statistics.FIRST), laboratory.edge.layout
    update = np.full(layout.size, 0.5, np.float32)
    device.receive(1, update)
    step(device, images(6))
    np.testing.assert_array_equal(device.state, update)


def test_devices_share_the_version_that_they_were_sent(laboratory):
    """It is as large as all that differs from model to model: a copy for each device would fill the memory."""
    devices, update = [ForwardOnly(laboratory) for _ in range(2)], laboratory.source_state * 2
    for device in devices:
        assert device.state is laboratory.source_state
        device.receive(1, update)
        assert device.state is update


@pytest.mark.parametrize(
    ("settings", "consequential"),
    [
        ({}, False),
        ({"statistics": Statistics.BATCH}, False),
        ({"statistics": Statistics.FIRST}, True),
        ({"exclusion": Exclusion({})}, True),
    ],
)
def test_what_it_concludes_matters_where_it_uploads_or_keeps(laboratory, settings, consequential):
    assert ForwardOnly(laboratory, **settings).consequential == consequential


def test_operations_grow_with_the_batch(laboratory):
    device = ForwardOnly(laboratory)
    assert device.flops(7) == 7 * device.flops(1) > 0
