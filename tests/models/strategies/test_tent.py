import numpy as np
import pytest
import torch

from models.strategies._interface import Upload
from models.strategies.tent import Tent


def settings(**fields):
    return Tent.model_validate({"batch_size": 6, "learning_rate": 0.1} | fields)


def test_the_papers_settings_for_imagenet():
    tent = Tent()
    assert (tent.optimiser, tent.learning_rate, tent.momentum) == ("sgd", 0.00025, 0.9)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_three_steps_on_the_mean_entropy(laboratory, images, plain, feed, optimiser):
    strategy = settings(optimiser=optimiser).build(laboratory)
    outcomes = feed(strategy, *(images(6, seed) for seed in range(3)))

    descent = (
        torch.optim.SGD(plain.parameters, 0.1, momentum=0.9)
        if optimiser == "sgd"
        else torch.optim.Adam(plain.parameters, 0.1)
    )
    losses = []
    for seed in range(3):
        p = plain.logits(images(6, seed)).softmax(1)
        loss = -(p * p.log()).sum(1).mean()
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
