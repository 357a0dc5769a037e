"""A study on the terminal as a live table, or as plain lines where there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scenarios.settings import number_text
from sim.store import KEY_LENGTH, key_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sim.study import Session, Watch
    from sim.units import Unit

SHOWN_FAILURES = 5
"""Failed units in the live table; the table of runs has them all."""


@contextmanager
def study_display(console: Console | None, session: Session, jobs: int) -> Iterator[Watch]:
    """Show how a study goes on; nothing without a console."""
    if console is None:
        yield _Nothing()
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield _LiveTable(live, session)
    else:
        yield _Lines(console, session, jobs)


def print_units(console: Console, session: Session) -> None:
    """List a study's units, a line each: the run's name, where it is known by now, its state and what it is."""
    for unit in session.units:
        run = "-" * KEY_LENGTH if unit.run is None else key_of(unit.run.content_hash)
        line = f"{run}  {unit.status:7}  {unit.title}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def duration_text(seconds: float) -> str:
    """Return a duration in the unit that fits: 42 s, 7 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def accuracy_text(accuracy: float) -> str:
    """Return a share in percent, or a dash where nothing was predicted."""
    return "-" if math.isnan(accuracy) else f"{accuracy:.1%}"


class Pace:
    """How fast runs are made, for an estimate of the time left."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.started = time.monotonic()

    def left_s(self) -> float | None:
        """Return the wall-clock seconds left, from the pace so far; None before there is one."""
        runs = [run for run in self.session.runs.values() if not run.stored]
        unknown = sum(unit.run is None and not unit.error for unit in self.session.units)
        made = sum(
            1.0
            if run.status in ("done", "failed", "interrupted")
            else run.simulated_s / run.scenario.duration_s
            for run in runs
        )
        if made <= 0:
            return None
        return (time.monotonic() - self.started) * (len(runs) + unknown - made) / made


class _Nothing:
    def refresh(self) -> None:
        """Show nothing."""

    def ended(self, unit: Unit) -> None:
        """Tell nothing."""


class _Lines:
    """A line when a unit ends."""

    def __init__(self, console: Console, session: Session, jobs: int) -> None:
        self.console = console
        self.session = session
        self.pace = Pace(session)
        stored, all_units = session.count("done"), len(session.units)
        at_a_time = "one at a time" if jobs == 1 else f"{jobs} at a time"
        self._print(
            f"{session.plan.study.name}: {all_units} runs, {stored} of them stored, "
            f"{all_units - stored} to be made, {at_a_time}"
        )

    def refresh(self) -> None:
        """Show nothing: lines stay."""

    def ended(self, unit: Unit) -> None:
        """Print what became of the unit."""
        ended = len(self.session.units) - self.session.count("waiting") - self.session.count("running")
        line = f"[{ended}/{len(self.session.units)}] {unit.title}: {unit.status}"
        if unit.status == "done" and unit.run is not None:
            line += f", accuracy {accuracy_text(unit.run.accuracy)}, {duration_text(unit.run.wall_s)}"
        elif unit.error:
            line += f": {unit.error}"
        left = None if unit.status == "interrupted" else self.pace.left_s()
        self._print(line + (f"; about {duration_text(left)} left" if left else ""))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


class _LiveTable:
    """Counts, the runs in progress and the failures."""

    def __init__(self, live: Live, session: Session) -> None:
        self.live = live
        self.session = session
        self.pace = Pace(session)

    def refresh(self) -> None:
        """Draw the table again."""
        self.live.update(self.picture(), refresh=True)

    def ended(self, unit: Unit) -> None:
        """Wait for the next refresh."""

    def picture(self) -> RenderableType:
        """Return the table."""
        session, left = self.session, self.pace.left_s()
        counts = ", ".join(
            f"{session.count(status)} {status}" for status in ("done", "running", "waiting", "failed")
        )
        line = f"{session.plan.study.name}: {counts}"
        if left:
            line += f"; about {duration_text(left)} left"
        running = [unit for unit in session.units if unit.status == "running"]
        parts: list[RenderableType] = [Text(line)]
        if running:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
            table.add_column("strategy")
            if any(unit.labels for unit in running):
                table.add_column("point")
            for title in ("seed", "simulated", "accuracy"):
                table.add_column(title, justify="right")
            for unit in running:
                assert unit.run is not None
                table.add_row(
                    Text(unit.strategy),
                    *([Text(unit.point)] if unit.labels else []),
                    str(unit.seed),
                    f"{unit.run.simulated_s:.0f} of {number_text(unit.run.scenario.duration_s)} s",
                    accuracy_text(unit.run.accuracy),
                )
            parts.append(table)
        failed = session.failed()
        parts += [Text(f"{unit.title}: {unit.error}", style="red") for unit in failed[:SHOWN_FAILURES]]
        if len(failed) > SHOWN_FAILURES:
            parts.append(Text(f"and {len(failed) - SHOWN_FAILURES} more failures", style="red"))
        return Group(*parts)
