"""What a finished study gets: tables of means, differences, forgetting and recovery, and figures."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from analysis.ablation_chart import ablation, draw_ablation
from analysis.frontier import draw_frontier, draw_frontier_by_point, frontier
from analysis.measures import Measures, measured
from analysis.reading import ResultsError
from analysis.runs import RUNS, read_runs
from analysis.study_accuracy import MOST_PANELS, draw_study_accuracy, study_accuracy_over_time
from analysis.style import RC, save
from sim.results import MANIFEST, SCENARIO


def conclude_study(folder: Path) -> list[Path]:
    """Write the tables and figures of a study into its folder, and return the pictures.

    The tables are `study.csv`, `differences.csv`, `forgetting.csv` and `recovery.csv`; each figure has its
    numbers beside it. Raises ResultsError where nothing has finished.
    """
    return write_conclusion(measures_of(folder), folder)


def read_study(folder: Path) -> pd.DataFrame:
    """Read the finished runs of a study: axes, strategy, seed, folder and the numbers of `summary.json`."""
    return measured(read_runs(folder))


def measures_of(folder: Path) -> Measures:
    """Measure a study; what was measured last is kept for as long as its `runs.csv` stays the same."""
    runs = folder / RUNS
    return _measured_once(folder, runs.stat().st_mtime_ns if runs.is_file() else 0)


@lru_cache(maxsize=1)
def _measured_once(folder: Path, _written_ns: int) -> Measures:
    return Measures(read_runs(folder))


def write_conclusion(measures: Measures, destination: Path) -> list[Path]:
    """Write the tables and figures of any set of runs into an existing folder, and return the pictures."""
    for name, table in (
        ("study", measures.table),
        ("differences", measures.differences),
        ("forgetting", measures.forgetting),
        ("recovery", measures.recovery),
    ):
        _write(table, destination, name)
    with matplotlib.rc_context(RC):
        return [
            *_draw_frontier(measures, destination),
            *_draw_accuracy(measures, destination),
            *_draw_ablation(measures, destination),
        ]


def comparison_folder(folder: Path, *, force: bool) -> Path:
    """Make the folder that a comparison is written into.

    Raises ResultsError where it cannot be made, holds a run or a study, or holds anything at all without `force`.
    Nothing is deleted; files of an earlier comparison are written over.
    """
    if any((folder / name).is_file() for name in (RUNS, SCENARIO, MANIFEST)):
        raise ResultsError(f"{folder}: holds the results of a run or a study; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not force:
            raise ResultsError(
                f"{folder}: exists already; choose another --out, or write into it with --force"
            )
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be written: {error.strerror}; choose another --out") from error
    return folder


def _draw_frontier(measures: Measures, destination: Path) -> list[Path]:
    table = frontier(measures)
    if table.empty:
        return []
    _write(table, destination, "frontier")
    figures = {"frontier": draw_frontier(table, measures)}
    if len(measures.runs.points) > 1:
        figures["frontier_by_point"] = draw_frontier_by_point(table, measures)
    return _save(figures, destination)


def _draw_accuracy(measures: Measures, destination: Path) -> list[Path]:
    table = study_accuracy_over_time(measures.runs)
    if table.empty:
        return []
    _write(table, destination, "accuracy_over_time")
    points = measures.runs.points
    if len(table[[*measures.runs.axes, "group"]].drop_duplicates()) <= MOST_PANELS:
        return _save({"accuracy_over_time": draw_study_accuracy(table, measures, points)}, destination)
    drawn = []
    for point in points:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", measures.runs.point_text(point))
        figure = draw_study_accuracy(table, measures, [point])
        drawn += _save({f"accuracy_over_time-{name}": figure}, destination)
    return drawn


def _draw_ablation(measures: Measures, destination: Path) -> list[Path]:
    table = ablation(measures)
    if table.empty:
        return []
    _write(table, destination, "ablation")
    return _save({"ablation": draw_ablation(table, measures)}, destination)


def _save(figures: dict[str, Figure], destination: Path) -> list[Path]:
    return [save(figure, destination / f"{name}.png") for name, figure in figures.items()]


def _write(table: pd.DataFrame, destination: Path, name: str) -> None:
    table.to_csv(destination / f"{name}.csv", index=False, lineterminator="\n")
