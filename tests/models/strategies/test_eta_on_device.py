import math

import numpy as np
import pytest
import torch

from models.strategies.eta_on_device import EtaOnDevice


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    return EtaOnDevice.model_validate({"learning_rate": 0.01, "e0_share": 0.6, "d_margin": 0.75} | fields)


def test_each_batch_is_predicted_and_then_learnt_from(laboratory, images, plain):
    device = settings().build(laboratory).edge(laboratory.devices[0])
    descent = torch.optim.SGD(plain.parameters, 0.01, momentum=0.9)
    e0, mean, chosen = 0.6 * math.log(5), None, 0
    for seed, count in enumerate((8, 8, 1, 8)):
        decision = device.conclude(device.forward(images(count, seed)).result())
        logits = plain.logits(images(count, seed))
        torch.testing.assert_close(decision.logits, logits.detach(), rtol=0, atol=1e-4)
        assert decision.verdicts == ["local"] * count
        p = logits.softmax(1)
        entropies = -(p * p.log()).sum(1)
        selected = entropies < e0
        if mean is not None:
            selected &= torch.cosine_similarity(p.detach(), mean[None]).abs() < 0.75
        if not selected.any():
            continue
        chosen += int(selected.sum())
        descent.zero_grad()
        ((e0 - entropies.detach()).exp() * entropies)[selected].mean().backward()
        descent.step()
        new = p.detach()[selected].mean(0)
        mean = new if mean is None else 0.9 * mean + 0.1 * new
    assert 0 < chosen < 25
    state, size = device.student.state, len(plain.affine())
    np.testing.assert_allclose(state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(state[size:], laboratory.source_state[size:])


def test_a_batch_of_which_nothing_is_selected_is_predicted_all_the_same(laboratory, images):
    device = settings(e0_share=1e-6).build(laboratory).edge(laboratory.devices[0])
    decision = device.conclude(device.forward(images(4)).result())
    assert decision.logits.shape == (4, 5)
    np.testing.assert_array_equal(device.student.state, laboratory.source_state)


def test_backward_passes_are_the_devices_cost(laboratory):
    strategy = settings().build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    assert device.flops(7) == 7 * strategy.network.training_flops
