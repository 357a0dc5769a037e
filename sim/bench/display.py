"""Benchmarks on the terminal: what is being measured, and the table of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from sim.bench.result import Figure, Result
    from sim.bench.suite import Report

RATIO = "x"
SIGNS = {True: "met", False: "missed", None: ""}


@contextmanager
def bench_display(console: Console | None) -> Iterator[Report]:
    """Show benchmark and round in a status line, or one line a benchmark where output is not a terminal."""
    if console is None:
        yield lambda name, text: None
        return
    if console.is_terminal:
        with console.status("") as status:
            yield lambda name, text: status.update(escape(f"{name}: {text}"))
        return
    begun: set[str] = set()

    def show(name: str, text: str) -> None:
        if name not in begun:
            begun.add(name)
            console.print(f"{name}: measuring", markup=False, highlight=False)

    yield show


def figures_table(results: Sequence[Result]) -> Table:
    """Return the table of all figures: median, range of rounds, target, and whether it is met.

    Units stand beside the names, but for ratios, which have none.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark and figure")
    for name in ("median", "rounds", "target", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        table.add_row(f"[bold]{result.benchmark}[/]")
        for figure in result.figures:
            table.add_row(*_cells(figure))
    return table


def remarks(results: Sequence[Result]) -> list[str]:
    """Return what is to be read beside the table: what limits each benchmark and the notes on its figures."""
    lines = []
    for result in results:
        lines.append(f"{result.benchmark}: {result.limits}")
        lines += [f"- {figure.name}: {figure.note}" for figure in result.figures if figure.note]
    return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    colour = {True: "green", False: "yellow", None: "dim"}[figure.met]
    sign = ">=" if figure.better == "higher" else "<="
    unit = "" if figure.unit == RATIO else f", {figure.unit}"
    return (
        f"  {escape(figure.name + unit)}",
        number(figure.value),
        f"{number(min(figure.rounds))} to {number(max(figure.rounds))}",
        "" if figure.target is None else f"{sign} {number(figure.target)}",
        f"[{colour}]{SIGNS[figure.met]}[/]",
    )


def number(value: float) -> str:
    """Return a value with three significant digits, or whole from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
