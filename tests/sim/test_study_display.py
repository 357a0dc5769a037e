from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from sim import study_display as display
from sim.study_display import SHOWN_FAILURES, Pace, accuracy_text, duration_text, print_units, study_display
from sim.workers import Report

AXES = [{"name": "world", "list": {"fog 5": {}}}]


def plain():
    text = StringIO()
    return Console(file=text, width=40), text


def terminal():
    text = StringIO()
    return Console(file=text, width=200, force_terminal=True, color_system=None), text


@pytest.fixture
def clock(monkeypatch):
    """The wall clock: set `now` to let time pass."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(display.time, "monotonic", lambda: Clock.now)
    return Clock


def finish(unit, **changes):
    unit.run.status, unit.run.accuracy, unit.run.wall_s = "done", 0.5, 12.0
    for name, value in changes.items():
        setattr(unit.run, name, value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (42.4, "42 s"), (89, "89 s"), (90, "2 min"), (4000, "67 min"), (12000, "3 h 20 min")],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_accuracies():
    assert accuracy_text(0.7468) == "74.7%"
    assert accuracy_text(float("nan")) == "-"


def test_the_pace_counts_the_parts_of_runs(session, clock):
    made = session(seeds=[0, 1, 2, 3])
    pace = Pace(made)
    assert pace.left_s() is None
    clock.now += 30.0
    finish(made.units[0])
    made.units[1].run.simulated_s = 1.0  # of 2
    assert pace.left_s() == pytest.approx(30.0 / 1.5 * 2.5)


def test_what_was_stored_is_no_measure_of_the_pace(session, inline, clock):
    session(seeds=[0]).run(inline(lambda task: Report(task.content_hash, "done")), display._Nothing())
    made = session(seeds=[0, 1, 2])
    made.units[0].run.stored, made.units[0].run.status = True, "done"
    pace = Pace(made)
    clock.now += 10.0
    assert pace.left_s() is None
    finish(made.units[1])
    assert pace.left_s() == pytest.approx(10.0)


def test_lines_where_there_is_no_terminal(session, clock):
    made = session(seeds=[0, 1, 2], axes=AXES)
    console, text = plain()
    with study_display(console, made, 2) as watch:
        clock.now += 20.0
        finish(made.units[0])
        watch.refresh()
        watch.ended(made.units[0])
        finish(made.units[1], status="failed", error="[red]oh[/red]")
        watch.ended(made.units[1])
        finish(made.units[2])
        watch.ended(made.units[2])
    assert text.getvalue().splitlines() == [
        "tiny: 3 runs, 0 of them stored, 3 to be made, 2 at a time",
        "[1/3] source, world=fog 5, seed 0: done, accuracy 50.0%, 12 s; about 40 s left",
        "[2/3] source, world=fog 5, seed 1: failed: [red]oh[/red]; about 10 s left",
        "[3/3] source, world=fog 5, seed 2: done, accuracy 50.0%, 12 s",
    ]


def test_an_interrupted_unit_leaves_no_estimate(session, clock):
    made = session(seeds=[0, 1])
    console, text = plain()
    with study_display(console, made, 1) as watch:
        clock.now += 20.0
        finish(made.units[0], status="interrupted")
        watch.ended(made.units[0])
    assert text.getvalue().splitlines()[1:] == ["[1/2] source, seed 0: interrupted"]


def test_a_terminal_shows_counts_runs_in_progress_and_failures(session, clock):
    made = session(seeds=list(range(4 + SHOWN_FAILURES + 2)), axes=AXES)
    console, text = terminal()
    with study_display(console, made, 2) as watch:
        clock.now += 60.0
        finish(made.units[0])
        made.units[1].run.status, made.units[1].run.simulated_s = "running", 1.25
        made.units[1].run.accuracy = 0.25
        made.units[2].run.status = "running"
        for unit in made.units[4:]:
            finish(unit, status="failed", error="[b]oh[/b]")
        watch.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())  # without the control sequences
    lines = [line.split() for line in shown.splitlines()]
    assert ["tiny:", "1", "done,", "2", "running,", "1", "waiting,", "7", "failed;"] in [
        line[:9] for line in lines
    ]
    assert ["strategy", "point", "seed", "simulated", "accuracy"] in lines
    assert ["source", "world=fog", "5", "1", "1", "of", "2", "s", "25.0%"] in lines
    assert ["source", "world=fog", "5", "2", "0", "of", "2", "s", "-"] in lines
    assert len({tuple(line) for line in lines if "[b]oh[/b]" in line}) == SHOWN_FAILURES
    assert ["and", "2", "more", "failures"] in lines


def test_quiet_shows_nothing(session, capsys):
    made = session()
    with study_display(None, made, 1) as watch:
        watch.refresh()
        watch.ended(made.units[0])
    assert capsys.readouterr() == ("", "")


def test_units_are_listed_a_line_each(session, tiny):
    strategies = [tiny.cema(), {"name": "random_selection", "match": "cema"}]
    made = session(strategies=strategies, axes=AXES)
    finish(made.units[0])
    console, text = plain()
    print_units(console, made)
    first, second = text.getvalue().splitlines()
    assert first == f"{made.units[0].run.content_hash[:16]}  done     cema, world=fog 5, seed 7"
    assert second == "----------------  waiting  random_selection, world=fog 5, seed 7"
