import numpy as np
import pytest
import torch

from models.strategies._interface import Upload
from models.strategies.pseudo_label import PseudoLabel


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    return PseudoLabel.model_validate({"batch_size": 6, "learning_rate": 0.01} | fields)


def test_three_steps_towards_the_most_probable_class(laboratory, images, plain, feed):
    strategy = settings().build(laboratory)
    outcomes = feed(strategy, *(images(6, seed) for seed in range(3)))

    descent = torch.optim.SGD(plain.parameters, 0.01, momentum=0.9)
    losses = []
    for seed in range(3):
        loss = -plain.logits(images(6, seed)).softmax(1).max(1).values.log().mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(loss.item())

    state, size = strategy.cloud.scopes["fleet"].student.state, len(plain.affine())
    np.testing.assert_allclose(state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(state[size:], laboratory.source_state[size:])
    assert [outcome.losses["adaptation_loss"] for outcome in outcomes] == pytest.approx(losses, abs=1e-6)


def test_a_step_costs_a_training_pass(laboratory, images):
    strategy = settings().build(laboratory)
    (step,) = strategy.cloud.receive(Upload("a-0", images(6)))
    assert step.begin().flops == 6 * strategy.network.training_flops
