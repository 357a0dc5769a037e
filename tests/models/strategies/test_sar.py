import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.errors import InputError
from models.fitting import SelectedClasses
from models.strategies._interface import Upload
from models.strategies.sar import Sar
from models.strategies.tent import Tent

E0 = 0.6 * math.log(5)


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    given = {"batch_size": 8, "learning_rate": 0.01, "e0_share": 0.6, "rho": 0.05, "reset_below_nats": 0.0}
    return Sar.model_validate(given | fields)


def entropies(plain, images):
    p = plain.logits(images).softmax(1)
    return -(p * p.log()).sum(1)


def sharpness_aware_step(plain, descent, images, trained):
    """One step of the plain network by the paper's equations 2 to 6; the loss after the climb, or None."""
    first = entropies(plain, images)
    reliable = first < E0
    if not reliable.any():
        return None
    gradient = torch.autograd.grad(first[reliable].mean(), trained)
    length = math.sqrt(sum(float((g**2).sum()) for g in gradient))
    before = [parameter.detach().clone() for parameter in trained]
    with torch.no_grad():
        for parameter, g in zip(trained, gradient, strict=True):
            parameter.add_(0.05 * g / length)
    second = entropies(plain, images)
    both = reliable & (second < E0)
    gradient = torch.autograd.grad(second[both].mean(), trained)
    with torch.no_grad():
        for parameter, value, g in zip(trained, before, gradient, strict=True):
            parameter.copy_(value)
            parameter.grad = g
    descent.step()
    return second[both].mean().item()


def test_the_papers_settings_for_a_resnet_on_imagenet():
    sar = Sar()
    assert (sar.optimiser, sar.learning_rate, sar.momentum) == ("sgd", 0.00025, 0.9)
    assert (sar.e0_share, sar.rho, sar.reset_below_nats) == (0.4, 0.05, 0.2)


@pytest.mark.parametrize("frozen", [[], ["stages.1", "stem"]])
def test_four_sharpness_aware_steps(laboratory, images, plain, feed, frozen):
    strategy = settings(frozen_layers=frozen).build(laboratory)
    outcomes = feed(strategy, *(images(8, seed) for seed in range(4)))

    # A weight and a bias for the stem, two layers in the first stage, and three in the second with its shortcut.
    trained = plain.parameters[2:6] if frozen else plain.parameters
    assert len(plain.parameters) == 12
    descent = torch.optim.SGD(trained, 0.01, momentum=0.9)
    losses = [sharpness_aware_step(plain, descent, images(8, seed), trained) for seed in range(4)]

    state, size = strategy.cloud.scopes["fleet"].student.state, len(plain.affine())
    np.testing.assert_allclose(state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(state[size:], laboratory.source_state[size:])
    assert [outcome.losses["adaptation_loss"] for outcome in outcomes] == pytest.approx(losses, abs=1e-5)


def test_without_a_radius_it_is_tent_on_reliable_samples(laboratory, images, feed):
    sar = settings(rho=0.0, e0_share=1.1).build(laboratory)
    tent = Tent(batch_size=8, learning_rate=0.01).build(laboratory)
    for strategy in (sar, tent):
        feed(strategy, images(8, 0), images(8, 1))
    one, other = (strategy.cloud.scopes["fleet"].student.state for strategy in (sar, tent))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("handling", ["distributed", "source"])
def test_running_statistics_follow_a_batch_once(laboratory, images, feed, handling):
    sar = settings(statistics=handling).build(laboratory)
    tent = Tent(batch_size=8, learning_rate=0.01, statistics=handling).build(laboratory)
    for strategy in (sar, tent):
        feed(strategy, images(8))
    one, other = (strategy.cloud.scopes["fleet"].student.state for strategy in (sar, tent))
    size = laboratory.edge.layout.affine_size
    np.testing.assert_array_equal(one[size:], other[size:])
    assert not np.array_equal(one[:size], other[:size])


def test_a_batch_without_a_reliable_sample_changes_nothing(laboratory, images, feed):
    """Not even through the optimiser's momentum; and it has no loss."""
    strategy = settings().build(laboratory)
    scope = strategy.cloud.scopes["fleet"]
    feed(strategy, images(8))
    before = scope.student.state
    scope.method.e0 = 0.0
    (outcome,) = feed(strategy, images(8, 1))
    np.testing.assert_array_equal(scope.student.state, before)
    assert outcome.losses == {}


def test_a_batch_without_a_reliable_sample_after_the_climb_changes_nothing(laboratory, images, feed):
    strategy = settings().build(laboratory)
    scope = strategy.cloud.scopes["fleet"]
    feed(strategy, images(8))
    before = scope.student.state
    average = scope.method.average
    lowest = float(entropies_now(scope, images(8, 1)).min())
    scope.method.e0 = lowest + 1e-4  # the one reliable sample is no longer so after a climb of its entropy
    (outcome,) = feed(strategy, images(8, 1))
    np.testing.assert_array_equal(scope.student.state, before)
    assert outcome.losses == {}
    assert scope.method.average == average


def entropies_now(scope, images):
    model = scope.network.model
    model.load(scope.student.state)
    model.use(scope.student.statistics)
    with torch.no_grad():
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.3
        p = model.network(x).softmax(1)
    return -(p * p.log()).sum(1)


def test_the_average_follows_the_loss(laboratory, images, feed):
    strategy = settings().build(laboratory)
    first, second, third = (
        outcome.losses["adaptation_loss"]
        for outcome in feed(strategy, *(images(8, seed) for seed in range(3)))
    )
    expected = 0.9 * (0.9 * first + 0.1 * second) + 0.1 * third
    assert strategy.cloud.scopes["fleet"].method.average == pytest.approx(expected)


def test_a_collapsed_model_is_deployed_anew_with_a_fresh_optimiser(laboratory, images, feed):
    reset = settings(reset_below_nats=5.0).build(laboratory)  # above any loss: each step ends in a reset
    scope = reset.cloud.scopes["fleet"]
    losses = [outcome.losses["adaptation_loss"] for outcome in feed(reset, images(8, 0), images(8, 1))]
    np.testing.assert_array_equal(scope.student.state, laboratory.source_state)
    assert (scope.method.average, len(scope.student.optimiser.state)) == (None, 0)

    scope.method.settings = settings()
    feed(reset, images(8, 2))
    fresh = settings().build(laboratory)
    (outcome,) = feed(fresh, images(8, 1))
    assert losses[1] == outcome.losses["adaptation_loss"]  # the first step left no trace
    fresh = settings().build(laboratory)
    feed(fresh, images(8, 2))
    np.testing.assert_array_equal(scope.student.state, fresh.cloud.scopes["fleet"].student.state)


def test_a_reset_leaves_tracked_statistics(laboratory, images, feed):
    strategy = settings(reset_below_nats=5.0, statistics="distributed").build(laboratory)
    feed(strategy, images(8))
    state, size = strategy.cloud.scopes["fleet"].student.state, laboratory.edge.layout.affine_size
    np.testing.assert_array_equal(state[:size], laboratory.source_state[:size])
    assert not np.array_equal(state[size:], laboratory.source_state[size:])


def test_frozen_parts_are_whole_names(laboratory):
    """`norm`, frozen by default, is not `norm1`: the whole tiny network adapts."""
    by_default = Sar().build(laboratory).cloud.scopes["fleet"].method
    assert len(by_default.trained) == 12


def test_parts_are_frozen_where_the_data_selects_classes_too(laboratory, tiny):
    def selected():
        source = tiny()
        return replace(source, network=SelectedClasses(source.network, np.array([0, 3])), num_classes=2)

    frozen = settings(frozen_layers=["stages.1", "stem"]).build(replace(laboratory, load_edge=selected))
    assert len(frozen.cloud.scopes["fleet"].method.trained) == 4


def test_something_must_be_left_to_adapt(laboratory):
    with pytest.raises(
        InputError, match=r"frozen_layers: stem, stages: .* at least one must stay, of: stem\.1, "
    ):
        settings(frozen_layers=["stem", "stages"]).build(laboratory)


def test_a_step_costs_two_training_passes_of_the_whole_batch(laboratory, images):
    strategy = settings().build(laboratory)
    (step,) = strategy.cloud.receive(Upload("a-0", images(8)))
    assert step.begin().flops == 2 * 8 * strategy.network.training_flops


@pytest.mark.parametrize("fields", [{"rho": -0.1}, {"e0_share": 0.0}, {"reset_below_nats": -1.0}])
def test_impossible_settings(fields):
    with pytest.raises(ValidationError) as caught:
        settings(**fields)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(fields)]
