from __future__ import annotations

from io import StringIO

from rich.console import Console

from sim.progress import PLAIN_LINES, progress_display, step_display
from sim.simulation import Progress


def plain() -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=40), text


def progress(simulated_s: float) -> Progress:
    return Progress(simulated_s, 1200, 0.5, 2_000_000, 30_000)


def test_a_line_for_each_tenth_where_there_is_no_terminal():
    console, text = plain()
    with progress_display(console, 100.0) as report:
        for second in range(1, 101):
            report("cema", progress(float(second)))
    lines = text.getvalue().splitlines()
    assert len(lines) == PLAIN_LINES
    assert (
        lines[0] == "cema:     10 s simulated    1,200 samples  accuracy  50.0%  up   2.00 MB  down   0.03 MB"
    )
    assert lines[-1].startswith("cema:    100 s simulated")


def test_each_strategy_has_its_own_lines():
    console, text = plain()
    with progress_display(console, 2.0) as report:
        for label in ("source", "cema"):
            for second in (1.0, 2.0):
                report(label, progress(second))
    assert [line.split(":")[0] for line in text.getvalue().splitlines()] == [
        "source",
        "source",
        "cema",
        "cema",
    ]


def test_names_are_not_markup():
    console, text = plain()
    with step_display(console) as show:
        show("[red]a[/red]", 1, 1, "[b]done[/b]")
    assert text.getvalue() == "[red]a[/red]: [b]done[/b]\n"


def test_quiet_shows_nothing():
    with progress_display(None, 1.0) as report:
        assert report is None


def test_a_terminal_shows_a_bar():
    text = StringIO()
    console = Console(file=text, width=200, force_terminal=True)
    with progress_display(console, 2.0) as report:
        report("cema", progress(1.0))
        report("cema", progress(2.0))
    assert "cema" in text.getvalue()
    assert "2 s simulated" in text.getvalue()
    assert "\x1b[" in text.getvalue()
