"""Worker processes: each lives for many runs, computes with one thread, and can die without harm to the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.store import claimed, clear, is_finished

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from sim.run import Options
    from sim.simulation import Progress

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""One thread for each process: results do not depend on how many run at a time, nor do cores change hands."""

REPORT_EVERY_S = 0.3
"""Wall-clock time between two reports of a run's progress."""

GRACE_S = 30.0
"""How long an interrupted run may take to finish its files."""

DIED = "worker died"
TRACEBACK = "traceback.txt"
"""What a defect leaves in the folder of its run."""


@dataclass(frozen=True)
class Task:
    """A run to be made: a scenario with one strategy, as plain data, and the folder that it goes into."""

    content_hash: str
    scenario: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class Report:
    """How far a task has come, or how it ended.

    Attributes:
        content_hash: the task's.
        status: running, done, failed or interrupted.
        simulated_s, accuracy: so far; NaN before the first prediction.
        error: one line on what went wrong.
        by_input: whether the user's input is at fault.
        wall_s: what it took, on the wall clock.

    """

    content_hash: str
    status: str = "running"
    simulated_s: float = 0.0
    accuracy: float = float("nan")
    error: str = ""
    by_input: bool = False
    wall_s: float = 0.0


Target = Callable[[Connection, "Options"], None]
"""What a process does: like `work`, it answers every task on the connection with reports."""


class Workers:
    """As many processes as there are jobs, started when they are needed and replaced when they die."""

    def __init__(self, jobs: int, options: Options, target: Target | None = None) -> None:
        self.jobs = jobs
        self.options = options
        self.target = target or work
        self._workers: list[_Worker] = []

    @property
    def free(self) -> int:
        """Return how many more tasks can begin."""
        return self.jobs - sum(worker.task is not None for worker in self._workers)

    def give(self, task: Task) -> None:
        """Begin a task; there must be room for it."""
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = _Worker(self.target, self.options)
            self._workers.append(worker)
        worker.begin(task)

    def reports(self, timeout_s: float) -> Iterator[Report]:
        """Wait for news, but no longer than `timeout_s`, and yield them."""
        busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
        for connection in wait(list(busy), timeout_s):
            assert isinstance(connection, Connection)
            report = busy[connection].receive()
            if busy[connection].dead:
                self._workers.remove(busy[connection])
            yield report

    def stop(self) -> Iterator[Report]:
        """End all processes; yield how the tasks in progress ended, most of them interrupted."""
        for worker in self._workers:
            worker.interrupt()
        until = time.monotonic() + GRACE_S
        try:
            while (left := until - time.monotonic()) > 0 and self.free < self.jobs:
                for report in self.reports(left):
                    died = report.error.startswith(DIED)  # of the interrupt
                    yield replace(report, status="interrupted", error="") if died else report
        finally:
            while self._workers:
                self._workers.pop().end()


class _Worker:
    """One process, and the task that it is at."""

    def __init__(self, target: Target, options: Options) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=target, args=(theirs, options), daemon=True)
        self.task: Task | None = None
        self.dead = False
        # Ctrl-C reaches every process of the terminal, but it is the parent that decides; a process that is being
        # started inherits that it is to be ignored.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()

    def begin(self, task: Task) -> None:
        self.task = task
        with suppress(OSError):  # it died while idle, which `receive` will find
            self.connection.send(task)

    def receive(self) -> Report:
        """Return the next report; that of a failure where the process has died."""
        assert self.task is not None
        try:
            report = self.connection.recv()
            assert isinstance(report, Report)
        except (EOFError, OSError):
            self.process.join()
            self.dead = True
            report = Report(
                self.task.content_hash, "failed", error=f"{DIED} ({_cause(self.process.exitcode)})"
            )
        if report.status != "running":
            self.task = None
        return report

    def interrupt(self) -> None:
        """Make the task in progress end, if there is one."""
        if self.task is not None:
            self.process.terminate()

    def end(self) -> None:
        """End the process at once: an idle one has nothing left to write, a busy one has had its time."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit status {exitcode}"


def work(connection: Connection, options: Options) -> None:
    """Make the runs that arrive on the connection, until it is closed.

    SIGTERM interrupts the run in progress, which leaves its results readable; a parent that has gone does the same.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    import torch  # noqa: PLC0415 - heavy, and reads the environment

    torch.set_num_threads(1)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            task: Task = connection.recv()
            connection.send(compute(task, options, connection))


def compute(task: Task, options: Options, connection: Connection | None = None) -> Report:
    """Make a run, unless its folder holds it already; whatever was there else is replaced.

    Returns how it ended. Progress goes to the connection.
    """
    from models.errors import InputError  # noqa: PLC0415
    from scenarios.schema import Scenario  # noqa: PLC0415
    from sim.run import run_scenario  # noqa: PLC0415

    started = time.monotonic()
    latest = _Progress(task.content_hash, connection)

    def ended(status: str, error: str = "", by_input: bool = False) -> Report:
        return replace(
            latest.report,
            status=status,
            error=error,
            by_input=by_input,
            wall_s=time.monotonic() - started,
        )

    try:
        scenario = Scenario.model_validate(task.scenario)
        with claimed(task.folder):
            if not is_finished(task.folder, task.content_hash):
                clear(task.folder)
                run_scenario(scenario, task.folder, options, latest)
    except KeyboardInterrupt:
        return ended("interrupted")
    except InputError as error:
        return ended("failed", _in_one_line(str(error)), by_input=True)
    except Exception as error:  # a defect in one run must not end the others; the traceback is kept
        _keep_traceback(task.folder)
        return ended("failed", _in_one_line(f"{type(error).__name__}: {error}"))
    return ended("done")


class _Progress:
    """Tells the parent how far a run has come, a few times a second."""

    def __init__(self, content_hash: str, connection: Connection | None) -> None:
        self.report = Report(content_hash)
        self._connection = connection
        self._sent = -REPORT_EVERY_S

    def __call__(self, label: str, progress: Progress) -> None:
        self.report = replace(self.report, simulated_s=progress.simulated_s, accuracy=progress.accuracy)
        now = time.monotonic()
        if self._connection is None or now - self._sent < REPORT_EVERY_S:
            return
        self._sent = now
        try:
            self._connection.send(self.report)
        except OSError as error:
            raise KeyboardInterrupt("the parent has gone") from error


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: files are being finished
    raise KeyboardInterrupt


def _in_one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _keep_traceback(folder: Path) -> None:
    with suppress(OSError):  # a full disk may be the very cause
        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
