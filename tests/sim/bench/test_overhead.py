from __future__ import annotations

import pytest
import torch

from sim.bench import overhead
from sim.bench.overhead import BareLoop, Work
from sim.bench.running import simulate


@pytest.fixture
def scenario(tiny):
    """Twenty batches of two images on each of two devices, all uploaded, and a step on every four."""
    return tiny.scenario(strategy=tiny.cema(), duration_s=4.0, images_per_pass=1)


@pytest.fixture
def folder(scenario, tmp_path):
    """The scenario's run."""
    simulate(scenario, tmp_path / "run", "cpu", allow_code=True)
    return tmp_path / "run"


def test_the_work_is_that_of_the_run(folder):
    import pyarrow.parquet as pq  # noqa: PLC0415

    batches = pq.read_table(folder / "batches.parquet").to_pylist()
    steps = pq.read_table(folder / "updates.parquet").to_pylist()
    orders = Work.read(folder).orders
    predicted = [(row["samples"],) for row in batches if row["status"] == "predicted"]
    assert len(predicted) > 5
    assert sorted(order for order in orders if len(order) == 1) == sorted(predicted)
    assert [order for order in orders if len(order) == 2] == [
        (step["new_samples"], step["replayed_samples"]) for step in steps
    ]
    assert orders.index((2,)) < orders.index((4, 4))


def test_batches_of_one_pass_are_one_order(folder):
    import pandas as pd  # noqa: PLC0415

    batches = pd.read_parquet(folder / "batches.parquet")
    one_by_one = Work.read(folder).orders.count((2,))
    batches["forward_pass"] = batches.forward_pass // 2
    batches.to_parquet(folder / "batches.parquet")
    fused = Work.read(folder).orders
    assert fused.count((4,)) == one_by_one // 2
    assert sum(order[0] for order in fused if len(order) == 1) == 2 * one_by_one


def test_the_loop_makes_every_pass_and_step(scenario, monkeypatch):
    from models.networks import ResidualNetwork  # noqa: PLC0415

    sizes = []
    forward = ResidualNetwork.forward
    monkeypatch.setattr(
        ResidualNetwork, "forward", lambda self, x: sizes.append((len(x), self.training)) or forward(self, x)
    )
    BareLoop(scenario, Work(((2,), (4, 0), (6,), (4, 8), (0, 8))), torch.device("cpu")).run()
    batch = [(4, True), (4, False), (4, True)]  # foundation's step, teacher's pass, student's step
    replaying = [(4, True), (12, False), (12, True)]
    replay_only = [(8, False), (8, True)]
    assert sizes == [(2, False), *batch, (6, False), *replaying, *replay_only]


def test_the_loop_learns_what_the_run_learns(scenario):
    """The same losses and rates: a step of each on the same images ends in the same parameters."""
    from models.distillation import LossWeights  # noqa: PLC0415
    from models.foundation import FoundationModel  # noqa: PLC0415
    from models.normalisation import AdaptableModel, Statistics  # noqa: PLC0415

    cpu, settings, data = torch.device("cpu"), scenario.strategy[0], scenario.data.load()
    loop = BareLoop(scenario, Work(((8, 0),)), cpu)
    learner = overhead.Learner(scenario, cpu)
    learner.step(loop.images, 8)

    images = data.images[:8]
    e_max = learner.e_max
    foundation = FoundationModel(
        scenario.models.foundation.load(),
        data.shape,
        cpu,
        settings.foundation.learning_rate,
        settings.momentum,
    )
    foundation.adapt(images, e_max)
    assert torch.equal(learner.teacher.state, foundation.model.state)
    student = AdaptableModel(scenario.models.edge.load().network, cpu)
    student.use(Statistics.FIRST)
    student.network.train()
    objective = LossWeights(0.0, 3.0, 1.0, 1.0, e_max).objective(foundation.teach(images))
    objective(student.network(loop.images))["distillation_loss"].backward()
    for parameter, learnt in zip(student.parameters, learner.student.parameters, strict=True):
        torch.testing.assert_close(parameter - settings.distillation.learning_rate * parameter.grad, learnt)


def test_the_figures_are_ratios_to_the_loop(scenario):
    told = []
    taken = overhead.seconds(scenario, 1, told.append, "cpu", allow_code=True)
    assert told == ["warming up: run", "warming up: loop", "round 1 of 1: run", "round 1 of 1: loop"]
    run, loop = taken["run"][0], taken["loop"][0]["seconds"]
    assert 0 < run["simulation"] < run["whole"]
    simulation, whole = overhead.figures("cema", taken, 1.1)
    assert (simulation.value, simulation.target, simulation.better) == (
        run["simulation"] / loop,
        1.1,
        "lower",
    )
    assert (whole.value, whole.target) == (run["whole"] / loop, None)


@pytest.mark.parametrize("strategy", overhead.DURATIONS_S)
def test_the_packaged_scenario_is_shortened_to_one_strategy(strategy):
    scenario = overhead.shortened(strategy, 5.0)
    assert [settings.name for settings in scenario.strategy] == [strategy]
    assert scenario.duration_s == 5
