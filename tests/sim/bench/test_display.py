from __future__ import annotations

import io

import pytest
from rich.console import Console

from sim.bench.display import bench_display, figures_table, number, remarks
from sim.bench.result import Figure, Result


def console(terminal=False):
    return Console(file=io.StringIO(), width=110, force_terminal=terminal)


def rows(*results):
    """The table's lines, with single spaces."""
    screen = console()
    screen.print(figures_table(results))
    return [" ".join(line.split()) for line in screen.file.getvalue().splitlines()]


def test_the_table_shows_median_range_target_and_verdict():
    figures = (
        Figure.of("speed", [2.0, 1.0, 4.0], target=1.5),
        Figure.of("cost", [1.25], target=1.1, better="lower"),
        Figure.of("trips", [104_000.4], unit="1/s"),
    )
    assert rows(Result("fusion", figures, ""), Result("memory", figures[2:], ""))[1:] == [
        "fusion",
        "speed 2 1 to 4 >= 1.5 met",
        "cost 1.25 1.25 to 1.25 <= 1.1 missed",
        "trips, 1/s 104,000 104,000 to 104,000",
        "memory",
        "trips, 1/s 104,000 104,000 to 104,000",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0849, "1.08"), (0.01234, "0.0123"), (99.96, "100"), (12345.6, "12,346"), (0.0, "0")],
)
def test_numbers_have_three_digits_or_are_whole(value, text):
    assert number(value) == text


def test_a_benchmark_is_one_line_where_there_is_no_terminal():
    screen = console()
    with bench_display(screen) as report:
        report("fusion", "starting")
        report("fusion", "round 1 of 2")
        report("memory", "starting")
    assert screen.file.getvalue() == "fusion: measuring\nmemory: measuring\n"


def test_a_terminal_shows_benchmark_and_round():
    screen = console(terminal=True)
    with bench_display(screen) as report:
        report("fusion", "round 1 of 2: loop [a]")
    assert "fusion: round 1 of 2: loop [a]" in screen.file.getvalue()


def test_without_a_console_nothing_is_shown():
    with bench_display(None) as report:
        report("fusion", "starting")


def test_remarks_are_limits_and_notes():
    figures = (Figure.of("speed", [2.0], note="downhill"), Figure.of("cost", [1.0]))
    assert remarks([Result("fusion", figures, "its legs."), Result("memory", (), "nothing.")]) == [
        "fusion: its legs.",
        "- speed: downhill",
        "memory: nothing.",
    ]
