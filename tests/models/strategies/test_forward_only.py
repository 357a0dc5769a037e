from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.errors import InputError
from models.executor import Executor
from models.normalisation import AdaptableModel, Statistics
from models.placement import Placement
from models.strategies._forward_only import ForwardMethod, ForwardOnlyDevice, ForwardOnlySettings
from models.strategies.bn_adaptation import BnAdaptation
from models.strategies.lame import Lame
from models.strategies.onda import Onda
from models.strategies.t3a import T3a

ALL = [BnAdaptation, Onda, Lame, T3a]


class Doubling(ForwardMethod):
    """Keeps the statistics of every batch and doubles its logits and its cost."""

    needs_features = True

    def statistics(self, samples):
        return Statistics(1, 1)

    def flops(self, samples):
        return 1000 * samples

    def predict(self, forward):
        assert forward.features.shape == (len(forward.logits), 6)
        return 2 * forward.logits


class DoublingSettings(ForwardOnlySettings):
    name: str = "doubling"

    def method(self, laboratory):
        return Doubling()


def step(device, images):
    return device.conclude(device.forward(images).result())


def test_the_method_decides_statistics_logits_and_cost(laboratory, images):
    device = ForwardOnlyDevice(laboratory, Doubling())
    plain = laboratory.executor.forward(
        laboratory.edge, laboratory.edge_source, images(6), laboratory.source_state, Statistics(1, 1)
    ).result()
    decision = step(device, images(6))
    torch.testing.assert_close(decision.logits, 2 * plain.logits)
    np.testing.assert_array_equal(device.state, plain.state)
    assert device.flops(6) == 6 * laboratory.edge_flops + 6000


def test_what_a_method_leaves_open_stays_as_it_is(laboratory, images):
    class Unchanged(ForwardMethod):
        def statistics(self, samples):
            return Statistics.RUNNING

    device = ForwardOnlyDevice(laboratory, Unchanged())
    step(device, images(6))
    assert device.state is laboratory.source_state
    assert device.flops(6) == 6 * laboratory.edge_flops


def test_devices_share_nothing(laboratory, images):
    strategy = DoublingSettings().build(laboratory)
    first, second = (strategy.edge(device) for device in laboratory.devices[:2])
    step(first, images(6))
    assert first.method is not second.method
    np.testing.assert_array_equal(second.state, laboratory.source_state)
    assert [strategy.student(device) for device in laboratory.devices] == ["a-0", "a-1", "b-0"]


@pytest.mark.parametrize("settings", ALL)
def test_nothing_is_sent(laboratory, images, settings):
    strategy = settings().build(laboratory)
    assert strategy.cloud is None
    device = strategy.edge(laboratory.devices[0])
    for count in (4, 1):
        decision = step(device, images(count))
        assert decision.logits.shape == (count, 5)
        assert decision.logits.dtype == torch.float32
        assert decision.logits.isfinite().all()
        assert decision.verdicts == ["local"] * count
        assert (decision.statistics, decision.announce, decision.state) == (None, False, {})
    assert device.version == 0
    with pytest.raises(LookupError):
        device.receive(1, laboratory.source_state)


def laboratory_of(laboratory, network):
    edge = AdaptableModel(network.eval(), torch.device("cpu"))
    return replace(
        laboratory, executor=Executor(Placement(torch.device("cpu"))), edge=edge, source_state=edge.read()
    )


@pytest.mark.parametrize("settings", [BnAdaptation(), Onda(label="mine")])
def test_a_model_without_batch_normalisation_is_the_users_mistake(laboratory, settings):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.LayerNorm(5))
    strategy = settings.build(laboratory_of(laboratory, network))
    name = settings.label or settings.name
    with pytest.raises(InputError, match=f"^{name}: adapts the statistics of batch normalisation"):
        strategy.edge(laboratory.devices[0])


@pytest.mark.parametrize("settings", [Lame, T3a])
def test_a_model_without_a_linear_layer_is_the_users_mistake(laboratory, settings):
    network = nn.Sequential(nn.Conv2d(1, 5, 8), nn.BatchNorm2d(5), nn.Flatten())
    strategy = settings().build(laboratory_of(laboratory, network))
    with pytest.raises(InputError, match="the model ends in no linear layer"):
        strategy.edge(laboratory.devices[0])


@pytest.mark.parametrize("settings", [Lame, T3a])
def test_the_statistics_below_a_new_output(laboratory, settings):
    def statistics(choice):
        strategy = settings(statistics=choice).build(laboratory)
        return strategy.edge(laboratory.devices[0]).method.statistics(4)

    assert settings() == settings(statistics="source")
    assert statistics("source") == Statistics.RUNNING
    assert statistics("device_batch") == Statistics.BATCH
