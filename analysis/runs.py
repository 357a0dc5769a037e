"""Runs gathered for comparison: each of one strategy, with one seed, at one point of a study's axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.reading import ResultsError, has_tables, read_scenario

RUNS = "runs.csv"
"""What makes a folder that of a study: one row per run, in the study's order."""
MEAN = "(mean)"
"""Stands for the mean over all points in the columns of axes."""

_COLUMNS = ("run", "folder", "strategy", "seed", "status", "error")

Point = tuple[str, ...]
"""The label on each axis; empty where there are no axes."""


@dataclass(frozen=True)
class Run:
    """One run: what was run, how it ended, and where its tables lie."""

    strategy: str
    seed: int
    point: Point
    folder: Path
    status: str = "done"
    error: str = ""
    source: str = ""  # the folder that a comparison found it in

    @property
    def usable(self) -> bool:
        """Whether it ended well and left its tables."""
        return self.status == "done" and has_tables(self.folder)


@dataclass(frozen=True)
class Runs:
    """All runs of a study or of a comparison, in order.

    Attributes:
        name: for titles.
        axes: the names of the axes.
        runs: finished or not.
        warnings: what the reader of the numbers must know, one sentence each.

    """

    name: str
    axes: tuple[str, ...]
    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def done(self) -> tuple[Run, ...]:
        """The runs that can be used; raises ResultsError where there is none."""
        done = tuple(run for run in self.runs if run.usable)
        if not done:
            raise ResultsError(f"{self.name}: no run has finished yet, so there is nothing to show")
        return done

    @cached_property
    def strategies(self) -> list[str]:
        """The labels in order; the first is the reference of every difference."""
        return list(dict.fromkeys(run.strategy for run in self.done))

    @cached_property
    def points(self) -> list[Point]:
        """The points of the axes at which something has run, in order."""
        return list(dict.fromkeys(run.point for run in self.done))

    @cached_property
    def points_of_mean(self) -> list[Point]:
        """The points that means are over: those at which the first strategy has run."""
        of_reference = {run.point for run in self.done if run.strategy == self.reference}
        return [point for point in self.points if point in of_reference]

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({run.seed for run in self.done})

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings of each strategy, as plain data, from its first run."""
        return {label: strategy_settings(run.folder) for label, run in self._first_runs.items()}

    @cached_property
    def _first_runs(self) -> dict[str, Run]:
        first = {run.strategy: run for run in reversed(self.done)}
        return {label: first[label] for label in self.strategies}

    @cached_property
    def partners(self) -> dict[str, list[str]]:
        """The strategies whose budget was matched to another's, by the label of that other one.

        A random partner is known by its label `random-X`, and else by the `match` of its scenario: two strategies of
        equal content share a run, whose scenario is then that of the first.
        """
        found: dict[str, list[str]] = {}
        for label, settings in self.settings.items():
            own = label.removeprefix("random-")
            name = own if own != label else str(settings.get("match") or label)
            choices = (labelled(name, self._first_runs[label].source), name)
            matched = next((choice for choice in choices if choice in self.settings), None)
            if matched is not None and name != label:
                found.setdefault(matched, []).append(label)
        return found

    @property
    def reference(self) -> str:
        """The first strategy."""
        return self.strategies[0]

    @property
    def unadapted(self) -> str:
        """The strategy that leaves the deployed model as it is: `source`, or else the first one."""
        named = (label for label, settings in self.settings.items() if settings.get("name") == "source")
        return next(named, self.reference)

    def random_partner(self, strategy: str) -> str | None:
        """Name the strategy that selects at random within the given one's budget, if there is one."""
        return next((label for label in self.partners.get(strategy, []) if self._is_random(label)), None)

    def _is_random(self, label: str) -> bool:
        return str(self.settings[label].get("name", label)).startswith("random")

    def cells(self) -> Iterator[tuple[Point, int, dict[str, Path]]]:
        """Go through points and seeds: the folders that share them, by strategy and in order."""
        cells: dict[tuple[Point, int], dict[str, Path]] = {}
        for run in self.done:
            cells.setdefault((run.point, run.seed), {})[run.strategy] = run.folder
        for point in self.points:
            for seed in self.seeds:
                if (point, seed) in cells:
                    yield point, seed, cells[point, seed]

    def axis_cells(self, point: Point | None) -> dict[str, str]:
        """Give the columns of the axes for a point, or for the mean over points (None)."""
        labels = (MEAN,) * len(self.axes) if point is None else point
        return dict(zip(self.axes, labels, strict=True))

    def point_text(self, point: Point | None) -> str:
        """Name a point for people: `fog 5, uplink_mbps 10`; empty where there are no axes."""
        if point is None:
            return f"mean over {len(self.points_of_mean)} points"
        return ", ".join(_axis_text(axis, label) for axis, label in zip(self.axes, point, strict=True))

    def rows_of_points(self) -> list[Point | None]:
        """List the points and, where there are several, the mean over them (None) first."""
        return [None, *self.points] if len(self.points_of_mean) > 1 else [*self.points]


def labelled(strategy: str, source: str) -> str:
    """Tell a strategy from others of the same label by the folder that it was found in."""
    return f"{strategy} ({source})"


def is_study(folder: Path) -> bool:
    """Say whether a folder is that of a study."""
    return (folder / RUNS).is_file()


def read_runs(folder: Path) -> Runs:
    """Read the runs of a study folder; raises ResultsError where `runs.csv` cannot be used."""
    path = folder / RUNS
    if not path.is_file():
        raise ResultsError(f"{folder}: not a study folder ({RUNS} is missing)")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path}: cannot be read as CSV ({error})") from error
    absent = [column for column in _COLUMNS if column not in table]
    if absent:
        raise ResultsError(f"{path}: column {absent[0]!r} is missing")
    axes = tuple(str(column) for column in table if column not in _COLUMNS)
    runs = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        if not row["seed"].isdecimal():
            raise ResultsError(f"{path}:{line}: seed {row['seed']!r} is not a whole number")
        point = tuple(row[axis] for axis in axes)
        place = folder / row["folder"]
        runs.append(Run(row["strategy"], int(row["seed"]), point, place, row["status"], row["error"]))
    return Runs(folder.resolve().name, axes, tuple(runs))


def strategy_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of the strategy that one run folder holds."""
    listed = read_scenario(folder).get("strategy", {})
    settings = listed[0] if isinstance(listed, list) and len(listed) == 1 else listed
    return settings if isinstance(settings, dict) else {}


def _axis_text(axis: str, label: str) -> str:
    """Name a place on an axis; a bare number, or the value of a field, needs the field's name."""
    try:
        float(label)
    except ValueError:
        if "." not in axis:
            return label
    return f"{axis.rpartition('.')[2]} {label}"
