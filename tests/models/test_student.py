import math
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from models.distillation import LossWeights
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.student import Normalising, Student, StudentNetwork

CPU = torch.device("cpu")
E_MAX = 0.4 * math.log(5)
TEACHER = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * 2


@pytest.fixture
def network(tiny):
    return StudentNetwork(tiny(), (8, 8, 1), CPU)


def student(network, handling="distributed", name="fleet"):
    return Student(name, network, Normalising.of(handling), partial(torch.optim.SGD, lr=0.1, momentum=0.9))


def stepped(tiny, images, factors, handling, steps=2):
    """The state after some steps by hand, and the last loss."""
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    model.use(*((Statistics.RUNNING, 0.0) if handling == "source" else (Statistics.FIRST, 0.1)))
    model.network.train()
    velocity = [torch.zeros_like(p) for p in model.parameters]
    for seed in range(steps):
        z, t = model.network(prepare(images(6, seed), source.preparation, CPU)), TEACHER
        h_student = -(z.softmax(1) * z.log_softmax(1)).sum(1)
        h_teacher = -(t.softmax(1) * t.log_softmax(1)).sum(1)
        u, w = (E_MAX - h_student.detach()).exp(), (E_MAX - h_teacher).exp()
        kl = (t.softmax(1) * (t.log_softmax(1) - z.log_softmax(1))).sum(1)
        cross_entropy = -z.log_softmax(1)[range(6), t.argmax(1)]
        alpha, beta, gamma = factors
        loss = alpha * (u * h_student).mean() + beta * (w * kl).mean() + gamma * (w * cross_entropy).mean()
        slopes = torch.autograd.grad(loss, model.parameters)
        with torch.no_grad():
            for parameter, slope, speed in zip(model.parameters, slopes, velocity, strict=True):
                speed.mul_(0.9).add_(slope)
                parameter.sub_(0.1 * speed)
    return model.read(), loss.item()


@pytest.mark.parametrize("handling", ["distributed", "source", "device_batch"])
@pytest.mark.parametrize("factors", [(3.0, 3.0, 1.0), (0.0, 3.0, 1.0)])
def test_two_steps_of_distillation(network, tiny, images, factors, handling):
    learner = student(network, handling)
    for seed in range(2):
        _, losses = learner.learn(images(6, seed), LossWeights(*factors, 1.0, E_MAX).objective(TEACHER))
    state, loss = stepped(tiny, images, factors, handling)
    assert losses["distillation_loss"] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(learner.state, state, rtol=0, atol=1e-6)
    assert learner.steps == 2


WEIGHTS = LossWeights(3.0, 3.0, 1.0, 1.0, E_MAX)


def test_the_losses_are_the_terms_before_their_factors(network, images):
    _, losses = student(network).learn(images(6), WEIGHTS.objective(TEACHER))
    total = 3 * losses["entropy_term"] + 3 * losses["kl_term"] + losses["cross_entropy_term"]
    assert losses["distillation_loss"] == pytest.approx(total, rel=1e-5)


def test_source_statistics_never_move(network, images):
    learner, size = student(network, "source"), network.model.layout.affine_size
    learner.learn(images(6), WEIGHTS.objective(TEACHER))
    np.testing.assert_array_equal(learner.state[size:], network.deployed[size:])
    assert not np.array_equal(learner.state[:size], network.deployed[:size])


def test_statistics_sent_by_a_device_are_taken_once(network, images):
    learner, size = student(network), network.model.layout.affine_size
    sent = np.full(network.model.layout.size - size, 2, np.float32)
    learner.start_with(sent)
    learner.start_with(sent * 5)
    np.testing.assert_array_equal(learner.state[size:], sent)
    learner.learn(images(6), WEIGHTS.objective(TEACHER))
    learner.start_with(sent)
    assert not np.array_equal(learner.state[size:], sent)


def test_statistics_under_source_handling_are_the_deployed_ones(network):
    learner, size = student(network, "source"), network.model.layout.affine_size
    learner.start_with(np.zeros(network.model.layout.size - size, np.float32))
    np.testing.assert_array_equal(learner.state, network.deployed)


def test_students_share_a_network_and_nothing_else(network, images):
    """Steps of one do not reach the other, not even through the optimiser's momentum."""
    one, two, alone = (student(network, name=name) for name in ("one", "two", "alone"))
    for seed in range(3):
        alone.learn(images(6, seed), WEIGHTS.objective(TEACHER))
    for seed in range(3):
        one.learn(images(6, seed), WEIGHTS.objective(TEACHER))
        two.learn(images(6, seed + 10), WEIGHTS.objective(-TEACHER))
    np.testing.assert_array_equal(one.state, alone.state)
    assert not np.array_equal(two.state, one.state)


@pytest.mark.parametrize(
    ("handling", "whole"), [("distributed", True), ("source", False), ("device_batch", False)]
)
def test_what_a_version_holds(network, images, handling, whole):
    learner, layout = student(network, handling), network.model.layout
    learner.learn(images(6), WEIGHTS.objective(TEACHER))
    version = learner.publish()
    size = layout.size if whole else layout.affine_size
    np.testing.assert_array_equal(version.state, learner.state[:size])
    np.testing.assert_array_equal(version.source, network.deployed[:size])
    assert version.pieces == layout.pieces[: 24 if whole else 12]
    assert (version.student, version.number, learner.publish().number) == ("fleet", 1, 2)
    kept = version.state.copy()
    learner.learn(images(6), WEIGHTS.objective(TEACHER))
    np.testing.assert_array_equal(version.state, kept)


def test_dropout_of_one_student_is_not_anothers_business(tiny, images):
    source = tiny()
    network = nn.Sequential(
        source.network.stem, nn.Dropout(0.5), source.network.stages, nn.AdaptiveAvgPool2d(1)
    )
    network = nn.Sequential(network, nn.Flatten(), source.network.classifier).eval()

    def state_of_one(others):
        torch.manual_seed(0)
        shared = StudentNetwork(replace(source, network=deepcopy(network)), (8, 8, 1), CPU)
        one, two = student(shared, name="one"), student(shared, name="two")
        for seed in range(2):
            if others:
                two.learn(images(6, seed + 5), WEIGHTS.objective(TEACHER))
            one.learn(images(6, seed), WEIGHTS.objective(TEACHER))
        return one.state

    np.testing.assert_array_equal(state_of_one(others=True), state_of_one(others=False))
