import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.errors import InputError
from models.strategies._interface import Upload
from models.strategies.eata import Eata

E0 = 0.6 * math.log(5)


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    given = {"batch_size": 8, "learning_rate": 0.01, "e0_share": 0.6, "d_margin": 0.75}
    return Eata.model_validate(given | {"fisher_samples": 12, "fisher_batch_size": 5} | fields)


def estimated(strategy, laboratory):
    laboratory.executor.step(lambda: None).result()  # what was submitted before has been done
    return strategy.importance.fisher


def fisher_by_hand(plain, batches):
    squares = []
    for batch in batches:
        loss = -plain.logits(batch).softmax(1).max(1).values.log().mean()
        squares.append(torch.cat(torch.autograd.grad(loss, plain.parameters)) ** 2)
    return sum(squares) / len(squares)


def test_the_papers_settings_for_imagenet():
    eata = Eata()
    assert (eata.fisher_alpha, eata.fisher_samples, eata.fisher_batch_size) == (2000.0, 2000, 64)
    assert (eata.optimiser, eata.learning_rate, eata.momentum) == ("sgd", 0.00025, 0.9)


def test_the_importance_is_the_mean_square_of_the_gradients_of_clean_batches(laboratory, plain):
    clean = laboratory.clean_images(12)
    fisher = fisher_by_hand(plain, [clean[:4], clean[4:8], clean[8:]])  # twelve in batches of at most five
    measured = estimated(settings().build(laboratory), laboratory)
    torch.testing.assert_close(measured, fisher, rtol=1e-4, atol=1e-7)
    assert measured.max() > 0


def test_four_steps_with_the_regulariser(laboratory, images, plain, feed):
    strategy = settings(fisher_alpha=50.0).build(laboratory)
    outcomes = feed(strategy, *(images(8, seed) for seed in range(4)))

    clean = laboratory.clean_images(12)
    fisher = fisher_by_hand(plain, [clean[:4], clean[4:8], clean[8:]])
    deployed = torch.from_numpy(plain.affine())
    descent = torch.optim.SGD(plain.parameters, 0.01, momentum=0.9)
    mean, losses, shares = None, [], []
    for seed in range(4):
        p = plain.logits(images(8, seed)).softmax(1)
        entropies = -(p * p.log()).sum(1)
        selected = entropies < E0
        if mean is not None:
            selected &= torch.cosine_similarity(p.detach(), mean[None]).abs() < 0.75
        new = p.detach()[selected].mean(0)
        mean = new if mean is None else 0.9 * mean + 0.1 * new
        entropy_loss = ((E0 - entropies.detach()).exp() * entropies)[selected].mean()
        regulariser = (fisher * (torch.cat(plain.parameters) - deployed) ** 2).sum()
        loss = entropy_loss + 50 * regulariser
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(loss.item())
        shares.append(50 * regulariser.item() / loss.item())

    assert shares[0] == 0
    assert shares[3] > 0.01  # it is felt
    state, size = strategy.cloud.scopes["fleet"].student.state, len(plain.affine())
    np.testing.assert_allclose(state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(state[size:], laboratory.source_state[size:])
    assert [outcome.losses["adaptation_loss"] for outcome in outcomes] == pytest.approx(losses, rel=1e-5)


def test_a_batch_of_which_nothing_is_selected_changes_nothing(laboratory, images, feed):
    """Not even the regulariser pulls."""
    strategy = settings().build(laboratory)
    scope = strategy.cloud.scopes["fleet"]
    feed(strategy, images(8))
    before = scope.student.state
    scope.method.exclusion.criteria["unreliable"].e_max = 0.0
    (outcome,) = feed(strategy, images(8, 1))
    np.testing.assert_array_equal(scope.student.state, before)
    assert outcome.losses == {}


@pytest.mark.parametrize("handling", ["distributed", "source", "device_batch"])
def test_the_estimate_leaves_students_as_deployed(laboratory, handling):
    strategy = settings(statistics=handling).build(laboratory)
    estimated(strategy, laboratory)
    student = strategy.cloud.scopes["fleet"].student
    np.testing.assert_array_equal(student.state, laboratory.source_state)
    assert (student.steps, strategy.network.model.network.training) == (0, False)


def test_students_share_one_estimate(laboratory):
    asked = []

    def clean_images(count):
        asked.append(count)
        return laboratory.clean_images(count)

    strategy = settings(student_scope="device").build(replace(laboratory, clean_images=clean_images))
    methods = [scope.method for scope in strategy.cloud.scopes.values()]
    assert len(methods) == 3
    assert {id(method.importance) for method in methods} == {id(strategy.importance)}
    assert len({id(method.exclusion) for method in methods}) == 3
    assert asked == [12]


def test_without_clean_images_there_is_no_run(laboratory):
    def none(count):
        raise InputError("no clean images")

    with pytest.raises(InputError, match="no clean images"):
        settings().build(replace(laboratory, clean_images=none))


def test_a_step_costs_a_training_pass_of_the_whole_batch(laboratory, images):
    strategy = settings().build(laboratory)
    (step,) = strategy.cloud.receive(Upload("a-0", images(8)))
    assert step.begin().flops == 8 * strategy.network.training_flops


@pytest.mark.parametrize("fields", [{"fisher_alpha": -1.0}, {"fisher_samples": 1}, {"fisher_batch_size": 1}])
def test_impossible_settings(fields):
    with pytest.raises(ValidationError) as caught:
        settings(**fields)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(fields)]
