from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from models.images import Preparation, prepare
from models.networks import ResidualNetwork
from sim.bench.published import NaiveModel, NaiveRenormalisation, PublishedLoop, SharedModel, sample


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResidualNetwork((4, 8), (1, 1), 10).eval()


@pytest.fixture
def samples():
    return list(torch.from_numpy(np.random.default_rng(0).normal(size=(12, 1, 8, 8)).astype(np.float32)))


def layer(channels=3):
    source = nn.BatchNorm2d(channels)
    nn.init.uniform_(source.weight)
    nn.init.uniform_(source.bias)
    return NaiveRenormalisation(source)


def test_the_first_batch_sets_the_statistics_in_either_mode():
    x = torch.randn(4, 3, 2, 2)
    for training in (True, False):
        naive = layer().train(training)
        y = naive(x)
        expected = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        wide = naive.weight.view(1, -1, 1, 1), naive.bias.view(1, -1, 1, 1)
        torch.testing.assert_close(y, expected * wide[0] + wide[1])
        torch.testing.assert_close(naive.running_mean, x.mean((0, 2, 3)))
        torch.testing.assert_close(naive.running_var, x.var((0, 2, 3)))


def test_training_follows_the_batch_and_evaluation_does_not():
    naive = layer()
    naive.eval()(torch.randn(4, 3, 2, 2))
    before = naive.running_mean.clone()
    x = torch.randn(4, 3, 2, 2) + 1
    naive(x)
    assert torch.equal(naive.running_mean, before)
    naive.train()(x)
    torch.testing.assert_close(naive.running_mean, before + 0.1 * (x.mean((0, 2, 3)) - before))


def test_both_kinds_of_model_compute_the_same(network, samples):
    naive, shared = NaiveModel(copy.deepcopy(network)), SharedModel(network)
    for training in (False, True, False):
        logits = [model.logits(samples, training) for model in (naive, shared)]
        torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)
        assert logits[0].requires_grad is logits[1].requires_grad is training
    assert [tuple(p.shape) for p in naive.parameters] == [tuple(p.shape) for p in shared.parameters]


@pytest.mark.parametrize("kind", [NaiveModel, SharedModel])
def test_a_copy_stays_as_it_was(kind, network, samples):
    model = kind(network)
    before = model.logits(samples, training=False)
    other = model.copy()
    with torch.no_grad():
        for parameter in model.parameters:
            parameter.add_(1)
    torch.testing.assert_close(other.logits(samples, training=False), before)
    assert not torch.allclose(model.logits(samples, training=False), before)


def test_samples_are_what_the_laboratory_prepares():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    preparation = Preparation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    cpu = torch.device("cpu")
    ours = torch.stack([sample(image, preparation, cpu) for image in images])
    assert torch.equal(ours, prepare(images, preparation, cpu))


class Echo:
    """Takes samples for their own logits, and notes how many it is asked about and how."""

    def __init__(self, calls, name):
        self.calls, self.name = calls, name
        self.parameters = [nn.Parameter(torch.zeros(3))]

    def logits(self, samples, training):
        self.calls.append((self.name, len(samples), training))
        return torch.stack(samples) + (self.parameters[0] if training else 0)

    def copy(self):
        self.calls.append((self.name, "copy"))
        return self


CERTAIN, UNCERTAIN = list(20 * torch.eye(3)), torch.zeros(3)


def loop_of(calls, **settings):
    random = np.random.default_rng(0)
    return PublishedLoop(Echo(calls, "student"), Echo(calls, "teacher"), random, 3, **settings)


def test_a_full_batch_adapts_teaches_distils_and_copies():
    calls = []
    loop = loop_of(calls, batch_size=2, replay_minimum=5)
    assert loop.batch([*CERTAIN, UNCERTAIN]) == ([0, 1, 2, 0], [0, 1, 2])
    assert calls == [
        ("student", 4, False),  # on the device
        ("teacher", 2, True),
        ("teacher", 2, False),
        ("student", 2, True),
        ("student", "copy"),
    ]
    assert (len(loop.waiting), len(loop.memory)) == (1, 3)


def test_steps_replay_once_enough_is_stored():
    calls = []
    loop = loop_of(calls, batch_size=2, replay_minimum=3)
    loop.batch(CERTAIN)
    assert [call for call in calls if call[0] == "teacher"] == [("teacher", 2, True), ("teacher", 5, False)]


def test_a_batch_that_completes_no_step_replays_alone():
    calls = []
    loop = loop_of(calls, batch_size=2, replay_minimum=2)
    loop.batch(CERTAIN)
    calls.clear()
    assert loop.batch([UNCERTAIN]) == ([0], [])
    replay_only = [("teacher", 3, False), ("student", 3, True), ("student", "copy")]
    assert calls == [("student", 1, False), *replay_only]


def test_unreliable_and_redundant_samples_are_left_out():
    loop = loop_of([], d_margin=0.5)
    assert loop.e_max == pytest.approx(0.4 * math.log(3))
    assert loop._kept(torch.stack([UNCERTAIN])) == []
    assert loop._kept(torch.stack([UNCERTAIN, CERTAIN[0]])) == [1]  # the first to come is kept whole
    assert loop._kept(torch.stack([*CERTAIN, UNCERTAIN])) == [1, 2]  # its kind is redundant from then on
