"""Checkpoints of real strategies: what is restored goes on as what was copied would have."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from models.normalisation import AdaptableModel, Statistics
from models.placement import Placement
from models.strategies._interface import Upload
from scenarios import catalogue
from sim.checkpoints import Checkpoints
from sim.results import TABLES

KEEP_ALL = {"unreliable": None, "low_informative": None, "redundant": None}
REPLAY = {"capacity": 16, "minimum": 4, "ratio": 1}
SETTINGS = {
    "cema": {"replay": REPLAY, "publish_every_steps": 2, "criteria": KEEP_ALL},
    "random_selection": {"share": 1.0, "replay": REPLAY, "statistics": "distributed"},
    "top_k": {"share": 1.0},
    "uniform_in_time": {"share": 1.0},
    "tent": {"optimiser": "adam"},
    "pseudo_label": {},
    "eta": {"statistics": "distributed"},
    "eata": {"student_scope": "device"},
    "sar": {"reset_below_nats": 2.2},
    "cotta": {"restore_probability": 0.2, "augmentations": 2, "anchor_confidence": 0.9},
    "offload": {"adapt": True},
}
STRATEGIES = {name: {"name": name, "batch_size": 4, **more} for name, more in SETTINGS.items()}
STRATEGIES["statistics_only"] = {"name": "statistics_only"}


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    return STRATEGIES[request.param]


@pytest.fixture
def simulation(tiny, tmp_path, strategy):
    made = tiny.simulation(tiny.scenario(strategy=strategy), tmp_path)
    with made.recorder, made.executor:
        yield made


def test_every_strategy_with_a_cloud_is_among_them(tiny, tmp_path):
    found = set()
    for name in catalogue.names(catalogue.STRATEGIES):
        scenario = tiny.scenario(strategy=STRATEGIES.get(name, {"name": name}))
        simulation = tiny.simulation(scenario, tmp_path / name)
        with simulation.recorder:
            found |= {name} if simulation.strategy.cloud is not None else set()
    assert found == set(STRATEGIES)


def learn(simulation, agent, numbers):
    """Give the agent uploads of two images each, the devices in turn, and return what its steps come to, as bytes."""
    results = []
    for number in numbers:
        generator = np.random.default_rng(number)
        device = f"cameras-{number % 2}"
        if simulation.settings.name == "statistics_only":
            size = simulation.strategy.laboratory.edge.layout
            statistics = generator.random(size.size - size.affine_size).astype(np.float32)
            upload = Upload(device, statistics=statistics)
        else:
            images = generator.integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
            upload = Upload(device, images, None, number, number)
        for step in agent.receive(upload):
            work = step.begin()
            outcome = simulation.executor.step(work.execute).result()
            version, answer = outcome.version, outcome.answer
            results.append(
                (
                    step.student,
                    work.replayed_samples,
                    outcome.losses,
                    None if version is None else (version.number, version.state.tobytes()),
                    None if answer is None else answer.logits.numpy().tobytes(),
                )
            )
    return results


def test_the_same_uploads_after_a_restart_give_the_same_versions_bit_by_bit(simulation):
    agent = simulation.strategy.cloud
    learn(simulation, agent, range(9))  # the last leaves two samples that wait for a step
    checkpoints = Checkpoints(simulation.executor)
    checkpoints.take(agent, {}, ())
    first = learn(simulation, agent, range(9, 21))
    learn(simulation, agent, range(50, 60))
    for _ in range(2):  # the checkpoint outlasts a restart
        restored, _ = checkpoints.restore()
        assert learn(simulation, restored, range(9, 21)) == first
    assert len(first) >= 6
    assert learn(simulation, agent, range(9, 21)) != first  # which went on from another state


def test_a_restart_that_goes_back_to_the_deployed_models_does_it_all_again(simulation):
    agent = simulation.strategy.cloud
    checkpoints = Checkpoints(simulation.executor)
    checkpoints.start_over(agent)
    first = learn(simulation, agent, range(12))
    restored, _ = checkpoints.restore()
    assert learn(simulation, restored, range(12)) == first


def test_a_copy_shares_all_that_is_frozen_and_nothing_else(tiny):
    source = tiny.scenario().models.edge.load()
    model = AdaptableModel(source.network, torch.device("cpu"))
    optimiser = torch.optim.SGD(model.parameters, 0.1, 0.9)
    before = model.read()
    tied, copied = deepcopy((optimiser, model))  # the optimiser first: it must follow all the same
    copied.use(Statistics.FIRST)
    copied.network.train()
    copied.network(torch.rand(4, 1, 8, 8)).square().mean().backward()
    tied.step()
    assert model.read().tobytes() == before.tobytes()
    layout = model.layout
    changed = copied.read() != before
    assert changed[: layout.affine_size].any() and changed[layout.affine_size :].any()
    adapted = {id(parameter) for parameter in model.parameters}
    for one, other in zip(model.network.parameters(), copied.network.parameters(), strict=True):
        assert (one is other) == (id(one) not in adapted)


def test_a_crash_right_after_a_checkpoint_changes_nothing(tiny, tmp_path, strategy):
    """Steps take no time, so that none is running, and the cloud is back at once."""
    changes = {"strategy": strategy, "duration_s": 8.0}
    crashes = {"at_s": [4.1 + 1e-9], "restart_s": 0.0, "checkpoint_every_s": 4.1}
    without = tiny.run(tmp_path / "without", **changes, cloud={"gflops": float("inf")})
    crashed = tiny.run(tmp_path / "crashed", **changes, cloud={"gflops": float("inf"), "crashes": crashes})
    for name in ("batches.parquet", "transfers.parquet", "updates.parquet", "devices.parquet"):
        assert pq.read_table(without / name).equals(pq.read_table(crashed / name)), name
    assert [
        (row["time_s"], row["event"]) for row in pq.read_table(crashed / "cloud.parquet").to_pylist()
    ] == [
        (0.0, "started"),
        (4.1, "checkpoint"),
        (4.100000001, "crashed"),
        (4.100000001, "restarted"),
    ]
    steps = pq.read_table(crashed / "updates.parquet").to_pylist()
    assert {row["finish_s"] > 4.2 for row in steps} == {True, False}


def test_steps_beside_the_passes_are_done_before_a_checkpoint(tiny, tmp_path):
    """Whether steps run in a thread of their own makes no difference to what a crash leaves."""
    changes = {
        "strategy": STRATEGIES["cema"],
        "cloud": {
            "gflops": 0.003,
            "crashes": {"at_s": [2.6, 6.1], "restart_s": 0.4, "checkpoint_every_s": 0.5},
        },
    }
    apart = Placement(torch.device("cpu"), images_per_pass=8, overlaps=True)
    first, second = tiny.run(tmp_path / "lazy", **changes), tiny.run(tmp_path / "beside", apart, **changes)
    for name in TABLES:
        assert pq.read_table(first / name).equals(pq.read_table(second / name)), name
    steps = pq.read_table(first / "updates.parquet").to_pylist()
    assert {row["status"] for row in steps} >= {"finished", "lost"}


class Counter:
    """An agent that is a number."""

    def __init__(self, executor):
        self.value = 0
        executor.then(self.add)
        self.executor = executor

    def add(self):
        self.value += 1


@pytest.fixture
def executor(tiny, tmp_path):
    made = tiny.simulation(tiny.scenario(), tmp_path)
    made.recorder.__exit__(None, None, None)
    return made.executor


def test_a_checkpoint_has_in_it_what_was_submitted(executor):
    checkpoints = Checkpoints(executor)
    checkpoints.start_over(Counter(executor))
    assert checkpoints.restore()[0].value == 1


def test_a_checkpoint_counts_once_the_steps_that_ran_are_done(executor):
    agent, checkpoints = Counter(executor), Checkpoints(executor)

    def at(value, *running):
        agent.value = value
        checkpoints.take(agent, {}, running)

    checkpoints.start_over(agent)
    at(10, 1, 2)
    at(20, 2)
    at(30, 3)
    checkpoints.fall_back([3])
    assert checkpoints.restore()[0].value == 20
    at(40, 4)
    at(50, 4, 5)
    checkpoints.fall_back([4, 5])
    assert checkpoints.restore()[0].value == 20
