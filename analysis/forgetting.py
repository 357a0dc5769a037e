"""Clean-data forgetting: what adapting to shifts costs once the world is clean again.

The forgetting of a strategy is its online accuracy on clean batches that come after a device's first shift, less
that of the strategy that leaves the model as deployed (`source`, or else the first strategy) on the same batches,
paired by device and batch. Below zero, the strategy is worse on clean images than if it had never adapted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.comparison import gains_by_device, read_outcomes
from analysis.intervals import NOTHING
from analysis.pooling import pooled
from analysis.reading import read_table
from analysis.runs import Point, Runs

_COLUMNS = (
    "strategy",
    "reference",
    "clean_accuracy_difference",
    "difference_low",
    "difference_high",
    "difference_resolved",
    "seeds",
    "across",
    "paired_samples",
)


def forgetting(runs: Runs) -> pd.DataFrame:
    """Tabulate clean-data forgetting: one row per point and strategy, but for the unadapted one.

    Columns: axes, strategy, reference, clean_accuracy_difference (a share) with difference_low and
    difference_high, difference_resolved, seeds, across, paired_samples. Points where no clean batch follows
    a shift have no rows, and the mean is over the others.
    """
    reference = runs.unadapted
    gains: dict[str, dict[tuple[Point, int], pd.DataFrame]] = {
        label: {} for label in runs.strategies if label != reference
    }
    for point, seed, folders in runs.cells():
        if reference not in folders:
            continue
        first_shifts = first_shifted_batches(folders[reference])
        unadapted = _clean_after(read_outcomes(folders[reference]), first_shifts)
        if unadapted.empty:
            continue
        for label, folder in folders.items():
            if label != reference:
                adapted = _clean_after(read_outcomes(folder), first_shifts)
                gains[label][point, seed] = gains_by_device(unadapted, adapted)
    seen = {point for sums in gains.values() for point, _seed in sums}
    rows = []
    for row_point in runs.rows_of_points():
        mean = [point for point in runs.points_of_mean if point in seen]
        points = mean if row_point is None else [row_point]
        for label, sums in gains.items():
            found, seeds = pooled(sums, points) if points else (NOTHING, 0)
            if not seeds:
                continue
            samples = [frame["samples"].sum() for key, frame in sums.items() if key[0] in points]
            row: dict[str, Any] = runs.axis_cells(row_point) | {"strategy": label, "reference": reference}
            row |= {"clean_accuracy_difference": found.estimate, "difference_low": found.low}
            row |= {"difference_high": found.high, "difference_resolved": found.resolved, "seeds": seeds}
            rows.append(row | {"across": found.across, "paired_samples": int(sum(samples))})
    return pd.DataFrame(rows, columns=[*runs.axes, *_COLUMNS])


def first_shifted_batches(folder: Path) -> pd.Series[int]:
    """Give the number of each device's first batch under a shift, whatever became of it; device -> batch."""
    batches = read_table(folder, "batches", ["device", "batch", "corruption"])
    return batches[batches["corruption"] != "none"].groupby("device")["batch"].min()


def _clean_after(outcomes: pd.DataFrame, first_shifts: pd.Series[int]) -> pd.DataFrame:
    first = outcomes["device"].map(first_shifts)
    return outcomes[(outcomes["corruption"] == "none") & (outcomes["batch"] > first)]
