"""Running a study: every point with every strategy and seed, each once, in several processes, into a store of runs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from models.errors import InputError
from scenarios import loader, study
from sim.run import check
from sim.store import STUDY, is_finished, key_of, write_atomically, write_table
from sim.units import Run, Unit, units_of
from sim.workers import Report, Task

if TYPE_CHECKING:
    from scenarios.study_loader import Plan
    from sim.run import Options

POLL_S = 0.25
"""Wall-clock time between two looks at the display."""


class Pool(Protocol):
    """What makes the runs; sim.workers.Workers does."""

    @property
    def free(self) -> int:
        """Return how many more tasks can begin."""

    def give(self, task: Task) -> None:
        """Begin a task."""

    def reports(self, timeout_s: float) -> Iterator[Report]:
        """Wait for news and yield them."""

    def stop(self) -> Iterator[Report]:
        """End; yield how the tasks in progress ended."""


class Watch(Protocol):
    """What shows how a study goes on."""

    def refresh(self) -> None:
        """Show how things are."""

    def ended(self, unit: Unit) -> None:
        """Tell that a unit is done or has failed."""


@dataclass
class Session:
    """A study under way.

    Attributes:
        folder: of the study.
        store: the folder that holds the runs' folders.
        units: in the study's order: points, strategies, seeds.
        runs: by content hash.

    """

    plan: Plan
    folder: Path
    store: Path
    units: list[Unit] = field(init=False)
    runs: dict[str, Run] = field(default_factory=dict)
    _queue: deque[Run] = field(default_factory=deque)
    _known: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.units = units_of(self.plan)
        self.settle()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the table of runs."""
        return (*study.COLUMNS, *self.plan.study.columns)

    def count(self, status: str) -> int:
        """Return how many units have a status."""
        return sum(unit.status == status for unit in self.units)

    def failed(self) -> list[Unit]:
        """Return the units that failed."""
        return [unit for unit in self.units if unit.status == "failed"]

    def exit_status(self) -> int:
        """Return 0 if nothing failed, 2 if only the user's input is at fault, otherwise 1."""
        failed = self.failed()
        return (2 if all(unit.by_input for unit in failed) else 1) if failed else 0

    def prepare(self, options: Options) -> None:
        """Create the folders and write what is known; InputError where that cannot be, or code is not allowed."""
        for unit in self.units:
            check(unit.scenario, options)
        if options.device == "cuda":
            from models.placement import choose_device  # noqa: PLC0415 - heavy

            choose_device(options.device)
        try:
            self._check_folder()
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / STUDY, loader.dump(self.plan.study))
            self.write_table()
            self.store.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written: {error.strerror}; choose another --out"
            ) from error

    def _check_folder(self) -> None:
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return
        path = self.folder / STUDY
        if not path.is_file():
            raise InputError(f"{self.folder}: holds something else than a study; choose another --out")
        try:
            data = loader.read(path, str(path)).data
        except loader.ScenarioError as error:
            raise InputError(str(error)) from error
        name = data.get("name") if isinstance(data, dict) else None
        if name != self.plan.study.name:
            raise InputError(f"{self.folder}: holds the study {name!r}; choose another --out")

    def run(self, pool: Pool, watch: Watch) -> None:
        """Make all runs that are not there yet.

        On KeyboardInterrupt the runs in progress are interrupted, everything is written, and the interrupt goes on.
        """
        try:
            self._begin(pool, watch)
            while any(run.status == "running" for run in self.runs.values()):
                watch.refresh()
                for report in pool.reports(POLL_S):
                    self._take(report, watch)
                self._begin(pool, watch)
            watch.refresh()
        finally:
            for report in pool.stop():
                self._take(report, watch)
            for run in self.runs.values():
                if run.status == "running":
                    run.status = "interrupted"
            self.write_table()

    def settle(self) -> list[Unit]:
        """Find out what each unit computes, where that is known by now; return the units that fail by it."""
        return [unit for unit in self.units if unit.run is None and not unit.error and self._fails(unit)]

    def _fails(self, unit: Unit) -> bool:
        scenario = unit.scenario
        if unit.match is not None:
            from sim.matching import upload_share  # noqa: PLC0415

            partner = unit.match
            if partner.status == "failed":
                unit.unmatched = f"the run to match, {partner.strategy}, failed: {partner.error}"
                unit.unmatched_by_input = partner.by_input
                return True
            if partner.status != "done" or partner.run is None:
                return False
            try:
                share = upload_share(partner.run.folder)
            except InputError as error:
                unit.unmatched, unit.unmatched_by_input = str(error), True
                return True
            strategy = scenario.strategy[0].model_copy(update={"share": share})
            scenario = scenario.model_copy(update={"strategy": (strategy,)})
        content_hash = loader.content_hash(scenario, self._known)
        if content_hash not in self.runs:
            run = Run(scenario, content_hash, self.store / key_of(content_hash))
            run.stored = is_finished(run.folder, content_hash)
            self.runs[content_hash] = run
            if run.stored:
                run.status = "done"
            else:
                self._queue.append(run)
        unit.run = self.runs[content_hash]
        return False

    def _begin(self, pool: Pool, watch: Watch) -> None:
        """Give out as many runs as there is room for."""
        for unit in self.settle():
            watch.ended(unit)
        while self._queue and pool.free:
            run = self._queue.popleft()
            run.status = "running"
            pool.give(Task(run.content_hash, run.scenario.model_dump(), run.folder))

    def _take(self, report: Report, watch: Watch) -> None:
        run = self.runs[report.content_hash]
        run.status, run.error, run.by_input = report.status, report.error, report.by_input
        if report.simulated_s:
            run.simulated_s, run.accuracy = report.simulated_s, report.accuracy
        run.wall_s = report.wall_s
        if report.status == "running":
            return
        self.write_table()
        for unit in self.units:
            if unit.run is run:
                watch.ended(unit)

    def write_table(self) -> None:
        """Write the table of runs as it is now."""
        write_table(self.folder, self.columns, map(self._row, self.units))

    def _row(self, unit: Unit) -> dict[str, object]:
        run = unit.run
        return {
            "run": "" if run is None else key_of(run.content_hash),
            "folder": "" if run is None else os.path.relpath(run.folder, self.folder),
            "strategy": unit.strategy,
            "seed": unit.seed,
            "status": "waiting" if unit.status == "running" else unit.status,
            "error": unit.error,
            **unit.labels,
        }
