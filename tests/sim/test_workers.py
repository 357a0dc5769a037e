from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch

from scenarios import loader
from sim.results import MANIFEST, SCENARIO, SUMMARY, TABLES
from sim.run import Options
from sim.store import is_finished
from sim.study import Session
from sim.workers import TRACEBACK, Task, Workers, compute, usable_cores

OPTIONS = Options("cpu", allow_code=True, figures=False)


class Silent:
    def refresh(self):
        pass

    def ended(self, unit):
        pass


@pytest.fixture
def task(tiny, tmp_path):
    """Describe the run of a scenario with these fields."""

    def describe(**changes):
        scenario = tiny.scenario(duration_s=2.0, **changes)
        return Task(loader.content_hash(scenario), scenario.model_dump(), tmp_path / "run")

    return describe


def test_a_run_is_made_without_figures(task):
    made = task()
    report = compute(made, OPTIONS)
    assert (report.content_hash, report.status, report.error) == (made.content_hash, "done", "")
    assert report.simulated_s == 2.0
    assert 0 <= report.accuracy <= 1
    assert report.wall_s > 0
    assert is_finished(made.folder, made.content_hash)
    assert {path.name for path in made.folder.iterdir()} == {SCENARIO, MANIFEST, SUMMARY, *TABLES}


def test_every_strategy_survives_the_way_to_a_worker(task, tiny):
    made = task(strategy=tiny.cema(criteria={"redundant": {"d_margin": 0.4}}), cloud={"gflops": float("inf")})
    assert compute(made, OPTIONS).status == "done"
    assert loader.content_hash(loader.load(made.folder / SCENARIO)) == made.content_hash


def test_a_finished_run_is_left_as_it_is(task):
    made = task()
    compute(made, OPTIONS)
    before = (made.folder / MANIFEST).stat().st_mtime_ns
    assert compute(made, OPTIONS).status == "done"
    assert (made.folder / MANIFEST).stat().st_mtime_ns == before


def test_the_users_mistake_is_one_line_without_a_traceback(task):
    report = compute(task(data={"npz": "network.py"}), OPTIONS)
    assert (report.status, report.by_input) == ("failed", True)
    assert "network.py" in report.error
    assert "\n" not in report.error


def test_a_defect_is_one_line_and_leaves_its_traceback(task, monkeypatch):
    from models.strategies.source import Source  # noqa: PLC0415

    def build(self, laboratory):
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr(Source, "build", build)
    made = task()
    report = compute(made, OPTIONS)
    assert (report.status, report.by_input) == ("failed", False)
    assert report.error == "ZeroDivisionError: first; second"
    assert "in build" in (made.folder / TRACEBACK).read_text()


def test_progress_is_reported_a_few_times_a_second(task, monkeypatch):
    ours, theirs = Pipe()
    now = iter(range(10**6))
    monkeypatch.setattr("sim.workers.time.monotonic", lambda: 0.001 * next(now))
    report = compute(task(), OPTIONS, theirs)
    theirs.close()
    seen = []
    while ours.poll():
        try:
            seen.append(ours.recv())
        except EOFError:
            break
    assert report.status == "done"
    assert [each.status for each in seen] == ["running"] * len(seen)
    assert 1 <= len(seen) <= 3  # of 500: the clock goes on by a thousandth at each look
    assert [each.simulated_s for each in seen] == sorted(each.simulated_s for each in seen)


def test_a_parent_that_has_gone_interrupts_the_run(task):
    ours, theirs = Pipe()
    ours.close()
    made = task()
    assert compute(made, OPTIONS, theirs).status == "interrupted"
    assert json.loads((made.folder / MANIFEST).read_text())["status"] == "interrupted"


def test_there_is_a_core():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_two_processes_compute_what_one_does(plan, inline, tiny, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    sessions = []
    for name, pool in (("one", inline()), ("two", Workers(2, OPTIONS))):
        session = Session(
            plan(strategies=[tiny.cema()], seeds=[0, 1]), tmp_path / name, tmp_path / name / "runs"
        )
        session.prepare(OPTIONS)
        session.run(pool, Silent())
        sessions.append(session)
    torch.set_num_threads(threads)
    for one, two in zip(*(session.units for session in sessions), strict=True):
        assert (one.status, two.status) == ("done", "done")
        assert one.run.folder.name == two.run.folder.name
        for file in TABLES:
            assert (one.run.folder / file).read_bytes() == (two.run.folder / file).read_bytes(), file
        assert json.loads((two.run.folder / MANIFEST).read_text())["placement"]["pass_threads"] == 1


WORK = """
import os, signal, time
from sim.workers import Report


def work(connection, options):
    signal.signal(signal.SIGTERM, interrupt)
    while True:
        task = connection.recv()
        if task.scenario["act"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task.scenario["act"] == "leave":
            os._exit(3)
        if task.scenario["act"] == "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        connection.send(Report(task.content_hash, accuracy=0.5))
        if task.scenario["act"] in ("wait", "ignore"):
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                connection.send(Report(task.content_hash, "interrupted"))
                continue
        connection.send(Report(task.content_hash, "done", error=str(os.getpid())))


def interrupt(number, frame):
    raise KeyboardInterrupt
"""


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """Start workers that do as a task's scenario says: nothing, die, leave, wait, or ignore that they shall end."""
    (tmp_path / "made_up_work.py").write_text(WORK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    started = []

    def start(jobs):
        target = importlib.import_module("made_up_work").work
        started.append(Workers(jobs, OPTIONS, target))
        return started[-1]

    yield start
    sys.modules.pop("made_up_work", None)
    for each in started:
        list(each.stop())


def act(name, what="nothing"):
    return Task(name, {"act": what}, Path())


def reports_until(workers, ended):
    """Return the reports up to the one that ends as many tasks."""
    found = []
    while sum(report.status != "running" for report in found) < ended:
        found += workers.reports(60.0)
    return found


def test_a_worker_lives_for_many_tasks(workers):
    pool = workers(1)
    processes = set()
    for name in ("a", "b", "c"):
        assert pool.free == 1
        pool.give(act(name))
        assert pool.free == 0
        running, done = reports_until(pool, 1)
        assert (running.content_hash, running.status, running.accuracy) == (name, "running", 0.5)
        assert (done.content_hash, done.status) == (name, "done")
        processes.add(done.error)
    assert len(processes) == 1


@pytest.mark.parametrize(("what", "cause"), [("die", "killed by SIGKILL"), ("leave", "exit status 3")])
def test_a_dead_worker_fails_its_task_alone_and_is_replaced(workers, what, cause):
    pool = workers(2)
    pool.give(act("a", what))
    pool.give(act("b"))
    ended = {report.content_hash: report for report in reports_until(pool, 2) if report.status != "running"}
    assert (ended["a"].status, ended["a"].error) == ("failed", f"worker died ({cause})")
    assert not ended["a"].by_input
    assert ended["b"].status == "done"
    assert pool.free == 2
    for name in ("c", "d"):
        pool.give(act(name))
    assert [report.status for report in reports_until(pool, 2) if report.status != "running"] == ["done"] * 2


def test_waiting_for_news_ends_with_the_time_for_it(workers):
    pool = workers(1)
    pool.give(act("a", "wait"))
    assert [report.status for report in pool.reports(60.0)] == ["running"]
    assert list(pool.reports(0.01)) == []


def test_stopping_interrupts_what_runs(workers):
    pool = workers(1)
    pool.give(act("a", "wait"))
    assert [report.status for report in pool.reports(60.0)] == ["running"]
    assert [(report.content_hash, report.status) for report in pool.stop()] == [("a", "interrupted")]
    assert list(pool.stop()) == []


def test_stopping_does_not_wait_for_ever(workers, monkeypatch):
    monkeypatch.setattr("sim.workers.GRACE_S", 0.2)
    pool = workers(1)
    pool.give(act("a", "ignore"))
    assert [report.status for report in pool.reports(60.0)] == ["running"]
    assert [report.status for report in pool.stop()] == []


def test_ctrl_c_interrupts_a_study_and_no_worker_by_itself(workers, plan, tmp_path):
    session = Session(plan(seeds=[0, 1]), tmp_path / "out", tmp_path / "out" / "runs")
    session.prepare(OPTIONS)
    pool = workers(1)
    pool.give(act("idle"))
    (report,) = [report for report in reports_until(pool, 1) if report.status == "done"]
    os.kill(int(report.error), signal.SIGINT)  # as the terminal does to all of its processes

    class CtrlC(Silent):
        def refresh(self):
            os.kill(os.getpid(), signal.SIGINT)

    class Waiting:
        free = property(lambda self: pool.free)
        reports, stop = pool.reports, pool.stop

        def give(self, task):
            pool.give(act(task.content_hash, "wait"))

    with pytest.raises(KeyboardInterrupt):
        session.run(Waiting(), CtrlC())
    assert [unit.status for unit in session.units] == ["interrupted", "waiting"]
    assert [unit.error for unit in session.units] == ["", ""]
