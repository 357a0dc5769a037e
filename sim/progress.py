"""Progress on the terminal, or as plain lines where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from sim.run import Report
    from sim.simulation import Progress as RunProgress

PLAIN_LINES = 10
"""Lines for each run where output is not a terminal."""


@contextmanager
def progress_display(console: Console | None, duration_s: float) -> Iterator[Report | None]:
    """Show simulated time, samples, accuracy so far, bytes both ways and the time remaining of each strategy."""
    if console is None:
        yield None
        return

    def line(progress: RunProgress) -> str:
        return (
            f"{progress.simulated_s:6.0f} s simulated  {progress.samples:7,} samples  accuracy {progress.accuracy:6.1%}"
            f"  up {progress.uplink_bytes / 1e6:6.2f} MB  down {progress.downlink_bytes / 1e6:6.2f} MB"
        )

    with step_display(console) as show:
        yield lambda label, progress: show(label, progress.simulated_s, duration_s, line(progress))


@contextmanager
def step_display(console: Console) -> Iterator[Callable[[str, float, float, str], None]]:
    """Show tasks by name: how much is done, of how much, and a line of text."""
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        )
        with Progress(*columns, console=console) as bars:
            tasks: dict[str, object] = {}

            def show(name: str, done: float, total: float, text: str) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total, text="")
                bars.update(tasks[name], completed=done, total=total, text=text)  # type: ignore[arg-type]

            yield show
    else:
        shown: dict[str, int] = {}

        def show_line(name: str, done: float, total: float, text: str) -> None:
            tenth = int(PLAIN_LINES * done / total)
            if tenth > shown.get(name, 0):
                shown[name] = tenth
                console.print(f"{name}: {text}", markup=False, highlight=False, soft_wrap=True)

        yield show_line
