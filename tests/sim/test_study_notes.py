from __future__ import annotations

import json

import pytest

from sim import manifest
from sim.results import MANIFEST
from sim.study_notes import failures, notes
from sim.workers import TRACEBACK


@pytest.fixture
def done(session, monkeypatch):
    """A study of three seeds whose runs are done, by this version, on a processor; the first two were stored."""
    monkeypatch.setattr(manifest, "git_state", lambda: {"commit": "now", "dirty": False})
    made = session(seeds=[0, 1, 2])
    for run in made.runs.values():
        run.status, run.stored = "done", run.scenario.seed < 2
        run.folder.mkdir()
        write(run)
    return made


def write(run, **changes):
    written = {"versions": manifest.package_versions(), "git": {"commit": "now"}, "device": "cpu"} | changes
    (run.folder / MANIFEST).write_text(json.dumps(written))


def fail(unit, error):
    unit.run.status, unit.run.error = "failed", error


def test_nothing_to_be_told(done):
    assert notes(done) == failures(done) == []


@pytest.mark.parametrize(
    "changes", [{"git": {"commit": "then"}}, {"git": None}, {"versions": {"torch": "1.0"}}]
)
def test_stored_runs_of_another_version(done, changes):
    first, second, third = done.runs.values()
    write(first, **changes)
    (told,) = notes(done)
    assert told.startswith("1 stored run was made by another version of the code or its packages; ")
    assert str(done.store) in told
    write(second, **changes)
    assert notes(done)[0].startswith("2 stored runs were made by another version")
    write(first)
    write(second)
    write(third, **changes)  # made just now
    assert notes(done) == []


def test_runs_from_different_devices(done):
    write(next(iter(done.runs.values())), device="cuda")
    assert notes(done) == ["the runs were computed on different devices: cpu, cuda"]


def test_a_line_for_each_error(done):
    for unit, error in zip(done.units, ("oh", "no", "oh"), strict=True):
        fail(unit, error)
    (done.units[1].run.folder / TRACEBACK).write_text("...")
    assert failures(done) == [
        "source, seed 0 and 1 more: failed: oh",
        f"source, seed 1: failed: no (traceback: {done.units[1].run.folder / TRACEBACK})",
    ]
