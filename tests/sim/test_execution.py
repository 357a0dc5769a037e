"""How a run is executed, fused or one by one, beside one another or in turn, changes nothing that it finds out."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from models.executor import Executor
from models.placement import Placement
from models.strategies._edge import ForwardOnly
from models.student import Student
from sim.results import MANIFEST, TABLES
from sim.run import Options, run_scenario

CPU = torch.device("cpu")
CLOSE = 1e-5
FLEET = 12


def predictions(folder):
    """One row for each sample that was predicted, in an order of its own."""
    batches = pq.read_table(folder / "batches.parquet").to_pandas()
    batches = batches[batches["status"] == "predicted"].sort_values(["device", "batch"])
    return batches.explode(["image", "prediction", "entropy", "verdict"], ignore_index=True)


def fleet(tiny, **changes):
    """Devices whose batches of one or two arrive at the same moments."""
    stream = {"rate_hz": 2.0, "phase": "zero"}
    groups = {
        name: tiny.group(count=FLEET // 2, stream=stream | {"batch_size": size})
        for name, size in (("a", 1), ("b", 2))
    }
    return {"groups": groups, "duration_s": 4.0} | changes


def run(scenario, folder):
    run_scenario(scenario, folder, Options("cpu", allow_code=True, figures=False))


def manifest(folder):
    return json.loads((folder / MANIFEST).read_text())


@pytest.mark.parametrize(("statistics", "e_max"), [("source", 2.2902), ("device_batch", 2.2638)])
def test_on_versions_that_stay_fused_and_one_by_one_decide_alike(
    tiny, tmp_path, monkeypatch, statistics, e_max
):
    """Each device holds a version of its own."""
    made = iter(range(10**6))
    post_init = ForwardOnly.__post_init__

    def with_a_version_of_its_own(self):
        post_init(self)
        self.state = (self.state * np.float32(1 + 0.01 * (next(made) % FLEET))).astype(np.float32)

    monkeypatch.setattr(ForwardOnly, "__post_init__", with_a_version_of_its_own)
    criteria = {
        "unreliable": {"threshold": "static", "share": e_max / np.log(10)},
        "low_informative": {},
        "redundant": None,
    }
    strategy = tiny.cema(criteria=criteria, statistics=statistics, publish_every_steps=10**6)
    fused, alone = (
        predictions(tiny.run(tmp_path / f"{size}", Placement(CPU, size), **fleet(tiny, strategy=strategy)))
        for size in (8, 1)
    )
    assert fused["forward_pass"].nunique() * 3 < alone["forward_pass"].nunique()
    pd.testing.assert_series_equal(fused["image"], alone["image"])
    entropies = [frame["entropy"].to_numpy(np.float64) for frame in (fused, alone)]
    np.testing.assert_allclose(*entropies, rtol=0, atol=CLOSE)
    differ = (fused["verdict"] != alone["verdict"]).to_numpy()
    assert not (differ & (abs(entropies[0] - e_max) > CLOSE)).any()
    assert alone["verdict"].nunique() > 1


@pytest.mark.parametrize("strategy", ["source", "bn_adaptation", "lame", "t3a", "tent_on_device", "cema"])
def test_a_fused_run_repeats_bit_for_bit(tiny, tmp_path, strategy):
    described = tiny.cema() if strategy == "cema" else {"name": strategy}
    once, again = (
        tiny.run(tmp_path / name, Placement(CPU, 8), **fleet(tiny, strategy=described)) for name in "ab"
    )
    for table in TABLES:
        assert pq.read_table(once / table).equals(pq.read_table(again / table)), table


@pytest.mark.parametrize("strategy", ["cema", "tent_on_device", "offload", "eata"])
def test_steps_beside_passes_change_nothing(tiny, tmp_path, strategy):
    described = tiny.cema() if strategy == "cema" else {"name": strategy}
    if strategy == "eata":
        described |= {"fisher_samples": 4, "batch_size": 4}
    threads = torch.get_num_threads()
    beside, in_turn = (
        tiny.run(
            tmp_path / str(overlaps),
            Placement(CPU, 8, overlaps=overlaps, pass_threads=1, step_threads=1),
            **fleet(tiny, strategy=described, resets_s=[1.3, 2.6]),
        )
        for overlaps in (True, False)
    )
    assert torch.get_num_threads() == threads
    for table in TABLES:
        assert pq.read_table(beside / table).equals(pq.read_table(in_turn / table)), table


def test_passes_of_a_fleet_are_as_few_as_its_images_fill(tiny, tmp_path, monkeypatch):
    """Twelve devices send 18 images at each of eight moments: 18 passes, not 96."""
    passes = []
    compute = Executor._compute

    def counted(self, kind, requests, number):
        passes.append(sum(len(request.images) for request in requests))
        return compute(self, kind, requests, number)

    monkeypatch.setattr(Executor, "_compute", counted)
    tiny.run(tmp_path, Placement(CPU, 8), **fleet(tiny, strategy={"name": "source"}))
    assert passes[:3] == [1, 1, 2]  # tried once: two requests alone and together
    assert passes[3:] == [8] * 18  # 144 images; `source` waits until a pass is full


def test_no_model_is_copied_while_time_passes(tiny, tmp_path, monkeypatch):
    """What differs from version to version is a vector, and all devices that hold it hold the same one."""
    simulation = tiny.simulation(tiny.scenario(**fleet(tiny, strategy=tiny.cema())), tmp_path)
    monkeypatch.setattr("copy.deepcopy", None)
    monkeypatch.setattr("copy.copy", None)
    with simulation.recorder, simulation.executor:
        simulation.run()
        versions = {device.agent.version for device in simulation.devices.values()}
        states = {id(device.agent.state) for device in simulation.devices.values()}
    assert max(versions) > 3
    assert len(states) == len(versions)


def test_an_interrupt_in_the_middle_of_passes_that_nothing_depends_on(tiny, tmp_path, monkeypatch):
    """What was complete in simulated time is predicted all the same."""
    compute = Executor._compute
    interrupts = iter([True])

    def interrupted(self, *arguments):
        if self.forward_passes == 2 and next(interrupts, False):
            raise KeyboardInterrupt
        return compute(self, *arguments)

    monkeypatch.setattr(Executor, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tiny.scenario(images_per_pass=8), tmp_path)
    batches = pq.read_table(tmp_path / "batches.parquet").to_pandas()
    assert list(batches["forward_pass"].value_counts(sort=False)) == [4, 4, 4]
    assert set(batches["status"]) == {"predicted"}
    devices = pq.read_table(tmp_path / "devices.parquet").to_pandas()
    assert devices["samples_correct"].sum() == batches["correct"].sum()


def test_an_interrupt_in_the_middle_of_a_step_that_nothing_depends_on(tiny, tmp_path, monkeypatch):
    """It cannot be taken up again: what was to follow from it stays in progress, and all is accounted for."""
    descend = Student.descend

    def interrupted(self, loss):
        if self.steps == 3:
            raise KeyboardInterrupt
        descend(self, loss)

    monkeypatch.setattr(Student, "descend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tiny.scenario(strategy={"name": "tent_on_device"}, images_per_pass=8), tmp_path)
    assert manifest(tmp_path)["status"] == "interrupted"
    batches = pq.read_table(tmp_path / "batches.parquet").to_pandas()
    devices = pq.read_table(tmp_path / "devices.parquet").to_pandas()
    samples = batches.groupby("status")["samples"].sum()
    assert set(samples.index) == {"predicted", "in_progress"}
    assert samples["predicted"] == devices["samples_predicted"].sum() > 0
    assert samples["in_progress"] == devices["samples_in_progress"].sum() > 0
    assert devices["flops"].sum() == batches["flops"].sum()


def test_how_passes_are_fused_is_written_down(tiny, tmp_path):
    run(tiny.scenario(images_per_pass=6), tmp_path)
    assert manifest(tmp_path)["placement"]["images_per_pass"] == 6
    batches = pq.read_table(tmp_path / "batches.parquet").to_pandas()
    assert set(batches.groupby("forward_pass")["samples"].sum()[:-1]) == {6}
