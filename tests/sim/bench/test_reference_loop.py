from __future__ import annotations

import math

import pytest
import torch

from sim.bench import published, reference_loop
from sim.bench.published import NaiveModel, SharedModel
from sim.bench.reference_loop import Outcome, ideal_device

CPU = torch.device("cpu")


@pytest.fixture
def scenario(tiny):
    """Build a tiny ideal scenario from a seed: 12 batches of 8, steps on 4 new and 12 replayed samples."""

    def build(seed):
        strategy = {
            "name": "cema",
            "preset": "reference",
            "batch_size": 4,
            "e_max_share": 0.99,
            "criteria": {"unreliable": {"share": 0.99}, "redundant": {"d_margin": 0.99}},
            "replay": {"minimum": 8},
        }
        return tiny.scenario(
            seed=seed,
            duration_s=12.0,
            strategy=strategy,
            cloud={"gflops": math.inf, "update_codec": "fp32"},
            groups={"only": ideal_device(edge_batch=8)},
        )

    return build


def test_with_the_same_layers_both_decide_the_same(scenario):
    run = reference_loop.run(scenario(3), "cpu", allow_code=True)
    loop = reference_loop.loop(scenario(3), scenario(3).data.load(), CPU, SharedModel)
    assert run.decisions == loop.decisions
    assert run.labels == loop.labels
    assert len(run.labels) == 12 * 8
    assert 12 < len(run.kept) < 84
    assert len(set(run.predictions)) > 1


@pytest.mark.parametrize(("setting", "value"), [("EDGE_RATE", 0.05), ("KL_WEIGHT", 60.0)])
def test_the_comparison_of_decisions_can_fail(scenario, monkeypatch, setting, value):
    run = reference_loop.run(scenario(3), "cpu", allow_code=True)
    monkeypatch.setattr(published, setting, value)
    loop = reference_loop.loop(scenario(3), scenario(3).data.load(), CPU, SharedModel)
    assert run.decisions != loop.decisions


def test_the_loop_can_do_without_the_laboratorys_layers(scenario):
    data = scenario(3).data.load()
    naive = reference_loop.loop(scenario(3), data, CPU, NaiveModel)
    shared = reference_loop.loop(scenario(3), data, CPU, SharedModel)
    assert naive.labels == shared.labels
    assert abs(naive.accuracy - shared.accuracy) < 0.1
    assert naive.seconds > 0


def test_an_outcome_counts_positions_among_all_samples():
    outcome = Outcome()
    outcome.add([1, 2], [1], [1, 1])
    outcome.add([3], [0], [3])
    assert outcome.kept == [1, 2]
    assert outcome.accuracy == pytest.approx(2 / 3)
    assert outcome.decisions == [(1, False), (2, True), (3, True)]


def test_each_round_has_a_seed_of_its_own(scenario, monkeypatch):
    seeds = []

    def build(seed):
        seeds.append(seed)
        return scenario(seed)

    told = []
    result = reference_loop.compare(build, 2, told.append, "cpu", allow_code=True)
    assert told[:2] == ["same kernels", "round 1 of 2: run"]
    assert seeds[-5:] == [0, 0, 1, 1, 0]  # the last for comparing layers
    speed, most, beyond, same, accuracy, uploads, normalisation = result.figures
    assert (len(speed.rounds), speed.target, speed.better) == (2, 2.0, "higher")
    assert [a * b for a, b in zip(speed.rounds, beyond.rounds, strict=True)] == pytest.approx(most.rounds)
    assert (same.value, same.met) == (100, True)
    assert accuracy.value == pytest.approx(sum(accuracy.rounds) / 2)
    assert "95 % interval" in uploads.note
    assert (len(normalisation.rounds), normalisation.target) == (4, None)


@pytest.mark.parametrize(
    ("points", "note"),
    [
        ([1.0, 3.0], "mean of 2 seeds, 95 % interval [-10.71, 14.71]: equal"),
        ([2.0, 2.1, 1.9], "mean of 3 seeds, 95 % interval [1.75, 2.25]: different"),
        ([2.0], "mean of 1 seed"),
    ],
)
def test_differences_come_with_students_interval(points, note):
    figure = reference_loop._difference("accuracy", points)
    assert figure.value == pytest.approx(2)
    assert figure.note == note
    assert figure.met is None


def test_the_packaged_comparison_is_the_released_code():
    scenario = reference_loop.ideal(seed=5, batches=3)
    settings = scenario.strategy[0]
    assert (scenario.seed, settings.preset, settings.criteria.redundant.d_margin) == (5, "reference", 0.4)
    assert settings.replay.replay_only_steps
    assert (settings.batch_size, settings.replay.minimum, settings.replay.ratio) == (32, 256, 3)
