"""Recovery: how long a strategy needs after the world changes.

A change begins with a device's first batch under another corruption or severity, and lasts until the next change.
(A device that starts in a clean world has not changed yet.) The batches of all devices of a group and of all seeds
are aligned at that moment and cut into windows of equal length. From the accuracy of the first window to the level,
the accuracy over the last third of the stretch, is the rise. The recovery time is the simulated time, and the
samples per device, until the accuracy has covered 90% of the rise, read between the centres of two windows.

    no change    the 95% interval of the rise contains zero
    fell         the rise is below zero
    not reached  the 90% are covered only in the last third, so that accuracy never settled
    too short    fewer than four windows of 80 samples, or than four batches of a device

The interval of the rise is across seeds or, with one seed, across the group's devices; the rise is resolved
where enough of them stand behind it (`analysis.intervals.Interval.resolved`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.intervals import Floats, ratio_interval
from analysis.reading import read_scenario, read_table
from analysis.runs import Point, Runs
from analysis.seeds import seed_interval

COVERED = 0.9
LAST = 2 / 3  # where the last third begins
MOST_WINDOWS, FEWEST_WINDOWS, SAMPLES_IN_A_WINDOW = 15, 4, 80
RECOVERED, NOT_REACHED, NO_CHANGE = "recovered", "not reached", "no change"
FELL, TOO_SHORT = "fell", "too short"

_CHANGE = ["group", "corruption", "severity"]
_BATCH = ["device", "group", "batch", "status", "arrival_s", "corruption", "severity", "samples", "correct"]
_COLUMNS = (
    "strategy",
    "group",
    "corruption",
    "severity",
    "start_s",
    "duration_s",
    "window_s",
    "first_accuracy",
    "level",
    "rise",
    "rise_low",
    "rise_high",
    "rise_resolved",
    "status",
    "recovery_s",
    "samples_per_device",
    "seeds",
    "across",
)


def recovery(runs: Runs) -> pd.DataFrame:
    """Tabulate recovery: one row per point, strategy, group and change, in order of time.

    Columns: axes, strategy, group, corruption, severity, start_s (mean over devices), duration_s, window_s,
    first_accuracy, level and rise with its interval (shares), rise_resolved, status, recovery_s and
    samples_per_device (only where recovered), seeds, across.
    """
    folders: dict[tuple[Point, str], list[tuple[int, Path]]] = {}
    for point, seed, cell in runs.cells():
        for label, folder in cell.items():
            folders.setdefault((point, label), []).append((seed, folder))
    rows = []
    for point in runs.points:
        for label in runs.strategies:
            of_strategy = folders.get((point, label), [])
            if not of_strategy:
                continue
            found = pd.concat([changes(folder).assign(seed=seed) for seed, folder in of_strategy])
            own = [
                dict(zip(_CHANGE, key, strict=False)) | measure(stretch)
                for key, stretch in found.groupby([*_CHANGE, "time"], sort=False)
            ]
            groups = list(read_scenario(of_strategy[0][1])["groups"])
            own.sort(key=lambda row: (groups.index(row["group"]), row["start_s"]))
            rows += [runs.axis_cells(point) | {"strategy": label} | row for row in own]
    return pd.DataFrame(rows, columns=[*runs.axes, *_COLUMNS])


def changes(folder: Path) -> pd.DataFrame:
    """Read the batches of one run that belong to a change.

    Beside columns of the table: time, which counts how often this device has met this corruption and
    severity, and since_s, the time since the first batch under it.
    """
    batches = read_table(folder, "batches", _BATCH).sort_values(["device", "batch"], ignore_index=True)
    device = pd.factorize(batches["device"])[0]
    condition = pd.factorize(batches["corruption"])[0] * 10 + batches["severity"].to_numpy()
    device_begins, condition_begins = np.diff(device, prepend=-1) != 0, np.diff(condition, prepend=-1) != 0
    begins = np.flatnonzero(device_begins | condition_begins)
    stretch = np.cumsum(device_begins | condition_begins) - 1
    met = pd.DataFrame({"device": device[begins], "condition": condition[begins]})
    times = met.groupby(["device", "condition"]).cumcount().to_numpy()
    arrival = batches["arrival_s"].to_numpy()
    batches = batches.assign(time=times[stretch], since_s=arrival - arrival[begins][stretch])
    unchanged = device_begins[begins][stretch] & (batches["corruption"] == "none")
    changed: pd.DataFrame = batches[~unchanged]
    return changed


def measure(batches: pd.DataFrame) -> dict[str, Any]:
    """Measure one change of one group: `batches` are rows of `changes`, of all seeds, with the column seed.

    Returns the columns of `recovery` from `start_s` on.
    """
    arrived_s, seeds = batches["since_s"].to_numpy(), int(batches["seed"].nunique())
    duration_s = float(arrived_s.max())
    row: dict[str, Any] = {"start_s": float((batches["arrival_s"] - arrived_s).mean())}
    row |= {"duration_s": duration_s, "status": TOO_SHORT, "rise_resolved": False, "seeds": seeds}
    streams = np.bincount(pd.factorize(batches["device"] + "/" + batches["seed"].astype(str))[0])
    predicted = batches[batches["status"] == "predicted"]
    since_s, samples, correct = (predicted[n].to_numpy(np.float64) for n in ("since_s", "samples", "correct"))
    filled = int(samples.sum()) // SAMPLES_IN_A_WINDOW
    windows = min(MOST_WINDOWS, filled, int(np.median(streams)))
    window_s = duration_s / max(1, windows)
    early, late = since_s < window_s, since_s >= LAST * duration_s
    if windows < FEWEST_WINDOWS or not early.any() or not late.any():
        return row
    window = np.minimum(since_s // window_s, windows - 1).astype(np.int64)
    accuracy = _shares(window, correct, samples, windows)
    first, level = float(accuracy[0]), float(correct[late].sum() / samples[late].sum())
    unit, units = pd.factorize(predicted["seed"] if seeds > 1 else predicted["device"])
    rises = _shares(unit[late], correct[late], samples[late], len(units))
    rises = rises - _shares(unit[early], correct[early], samples[early], len(units))
    rises = rises[~np.isnan(rises)]
    rise = seed_interval(rises) if seeds > 1 else ratio_interval(rises, np.ones(len(rises)))
    row |= {"window_s": window_s, "first_accuracy": first, "level": level, "rise": level - first}
    row |= {"rise_low": rise.low, "rise_high": rise.high, "across": rise.across}
    if rise.low <= 0 <= rise.high or level == first:
        return row | {"status": NO_CHANGE}
    row["rise_resolved"] = rise.resolved
    if level < first:
        return row | {"status": FELL}
    covered_s = _covered_s(accuracy, first + COVERED * (level - first), window_s)
    if covered_s > LAST * duration_s:
        return row | {"status": NOT_REACHED}
    until = float(batches["samples"].to_numpy()[arrived_s <= covered_s].sum() / len(streams))
    return row | {"status": RECOVERED, "recovery_s": covered_s, "samples_per_device": until}


def _shares(places: npt.NDArray[np.int64], correct: Floats, samples: Floats, count: int) -> Floats:
    """Give the accuracy at each place, shape (count,); NaN where nothing was predicted."""
    with np.errstate(invalid="ignore"):
        return np.bincount(places, correct, count) / np.bincount(places, samples, count)


def _covered_s(accuracy: Floats, target: float, window_s: float) -> float:
    """Read where the line through the windows' centres first reaches the target, in seconds; infinity if nowhere."""
    centres = (np.arange(len(accuracy)) + 0.5) * window_s
    present = ~np.isnan(accuracy)
    heights, times = accuracy[present], centres[present]
    if heights.max() < target:  # only part of a window is as good as the last third
        return math.inf
    reached = int(np.argmax(heights >= target))
    step = (target - heights[reached - 1]) / (heights[reached] - heights[reached - 1])
    return float(times[reached - 1] + step * (times[reached] - times[reached - 1]))
