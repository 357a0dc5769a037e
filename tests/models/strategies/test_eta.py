import math

import numpy as np
import pytest
import torch

from models.strategies._interface import Upload
from models.strategies.eta import Eta

E0 = 0.6 * math.log(5)


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    return Eta.model_validate(
        {"batch_size": 8, "learning_rate": 0.01, "e0_share": 0.6, "d_margin": 0.75} | fields
    )


def select(p, mean):
    """Return the weighted entropies of the selected among predictions p (N, C), how many are reliable, and the mean."""
    entropies = -(p * p.log()).sum(1)
    reliable = [i for i in range(len(p)) if entropies[i] < E0]
    q = p.detach()
    if mean is None:
        chosen = reliable
    else:
        chosen = [i for i in reliable if abs(q[i] @ mean) / (q[i].norm() * mean.norm()) < 0.75]
    losses = [torch.exp(E0 - entropies[i].detach()) * entropies[i] for i in chosen]
    if chosen:
        mean = q[chosen].mean(0) if mean is None else 0.9 * mean + 0.1 * q[chosen].mean(0)
    return losses, len(reliable), mean


def test_four_steps_on_the_selected_samples(laboratory, images, plain, feed):
    strategy = settings().build(laboratory)
    outcomes = feed(strategy, *(images(8, seed) for seed in range(4)))

    descent = torch.optim.SGD(plain.parameters, 0.01, momentum=0.9)
    mean, means, counts = None, [], []
    for seed in range(4):
        losses, reliable, mean = select(plain.logits(images(8, seed)).softmax(1), mean)
        loss = sum(losses) / len(losses)
        descent.zero_grad()
        loss.backward()
        descent.step()
        means.append(loss.item())
        counts.append((reliable, len(losses)))

    reliable, chosen = np.sum(counts, axis=0)
    assert chosen < reliable < 32  # both criteria exclude some
    scope = strategy.cloud.scopes["fleet"]
    size = len(plain.affine())
    np.testing.assert_allclose(scope.student.state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(scope.student.state[size:], laboratory.source_state[size:])
    torch.testing.assert_close(scope.method.exclusion.criteria["redundant"].mean, mean, rtol=0, atol=1e-6)
    assert [outcome.losses["adaptation_loss"] for outcome in outcomes] == pytest.approx(means, abs=1e-6)


def test_a_batch_of_which_nothing_is_selected_changes_nothing(laboratory, images, feed):
    """Not even through the optimiser's momentum; and it has no loss."""
    strategy = settings().build(laboratory)
    scope = strategy.cloud.scopes["fleet"]
    feed(strategy, images(8))
    before = scope.student.state
    scope.method.e0 = scope.method.exclusion.criteria["unreliable"].e_max = 0.0
    (outcome,) = feed(strategy, images(8, 1))
    np.testing.assert_array_equal(scope.student.state, before)
    assert (outcome.losses, outcome.version.number) == ({}, 2)


def test_where_all_are_selected_the_loss_is_the_mean_of_all(laboratory, images, plain, feed):
    (outcome,) = feed(settings(e0_share=1.1).build(laboratory), images(8))
    p = plain.logits(images(8)).softmax(1)
    entropies = -(p * p.log()).sum(1)
    weighted = (1.1 * math.log(5) - entropies).exp() * entropies
    assert outcome.losses["adaptation_loss"] == pytest.approx(weighted.mean().item(), rel=1e-5)


def test_each_student_remembers_its_own_selection(laboratory, images, feed):
    strategy = settings(student_scope="group").build(laboratory)
    feed(strategy, images(8))
    redundant = {
        name: scope.method.exclusion.criteria["redundant"] for name, scope in strategy.cloud.scopes.items()
    }
    assert redundant["a"].mean is not None
    assert redundant["b"].mean is None


def test_a_step_costs_a_training_pass_of_the_whole_batch(laboratory, images):
    strategy = settings().build(laboratory)
    (step,) = strategy.cloud.receive(Upload("a-0", images(8)))
    assert step.begin().flops == 8 * strategy.network.training_flops
