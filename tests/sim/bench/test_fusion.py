from __future__ import annotations

import pytest
import torch

from models.executor import Executor
from models.fitting import fit
from sim.bench import fusion
from sim.bench.running import simulate


@pytest.fixture
def fused(monkeypatch):
    """Let four images share a pass, whatever is fastest here."""
    monkeypatch.setattr("models.tuning.images_per_pass", lambda *_: 4)


def test_all_devices_get_their_images_at_the_same_moments(tmp_path, fused):
    import pyarrow.parquet as pq  # noqa: PLC0415

    simulate(fusion.simultaneous(devices=8, moments=2), tmp_path / "run", "cpu")
    batches = pq.read_table(tmp_path / "run" / "batches.parquet").to_pylist()
    assert {batch["arrival_s"] for batch in batches} == {0.0, 1.0}
    assert [batch["samples"] for batch in batches] == [1] * 16
    assert {batch["forward_pass"] for batch in batches} == set(range(4))


def test_the_scenario_has_as_many_devices_as_it_says():
    scenario = fusion.simultaneous()
    assert scenario.groups["cameras"].count == fusion.DEVICES == 256
    assert scenario.groups["cameras"].stream.batch_size == 1


def test_runs_are_compared_by_their_rounds(fused):
    told = []
    figure = fusion.of_runs(fusion.simultaneous(devices=4, moments=1), 1, told.append, "cpu")
    assert told[-2:] == ["round 1 of 1: fused", "round 1 of 1: one by one"]
    assert (figure.value, len(figure.rounds)) == (figure.rounds[0], 1)
    assert (figure.target, figure.better) == (2.2, "higher")


def test_requests_bring_versions_of_their_own(tiny, fused, monkeypatch):
    passes = []

    class Observed(Executor):
        def __exit__(self, *error):
            passes.append(self.forward_passes)
            super().__exit__(*error)

    monkeypatch.setattr("models.executor.Executor", Observed)
    scenario = tiny.scenario()
    data = scenario.data.load()
    source = fit(scenario.models.edge.load(), data)
    figure = fusion.of_requests(source, data, torch.device("cpu"), 1, lambda _: None, requests=8, repeats=1)
    assert passes == [2, 8, 2, 8]  # fused and one by one: warming up, then the round
    assert figure.value > 0
    assert "up to 4 images" in figure.note


def test_other_arithmetic_is_compared_with_exact_passes(tiny, fused, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network, dynamic: network)
    scenario = tiny.scenario()
    data = scenario.data.load()
    source = fit(scenario.models.edge.load(), data)
    rounded, compiled = fusion.of_arithmetic(source, data, torch.device("cpu"), 2, lambda _: None)
    assert (rounded.name, compiled.name) == ("float32 / bfloat16 passes", "float32 / compiled passes")
    assert min(*rounded.rounds, *compiled.rounds) > 0
