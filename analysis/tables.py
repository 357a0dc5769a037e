"""Data frames behind every figure and every printed table; shares are fractions, sizes bytes, times seconds.

Each function takes a result folder, or folders by label, and gives one row per cell with the strategy's label
in the column `strategy`. Where a row speaks of the whole fleet, its group is `(all)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.intervals import ratio_interval, weighted_quantiles
from analysis.reading import Source, read_predicted, read_scenario, read_table, with_tables
from analysis.traffic import candidates_by_device, traffic_by_device
from analysis.units import shift_name

ALL = "(all)"
"""Stands for the whole fleet in the column `group`; no group can have this name."""

BINS = 60
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
_BATCHES_IN_A_BIN = 4
_BIN = ["group", "start_s", "end_s", "time_s"]
_AGES = ["version_age_s", "versions_behind"]


def shift_schedule(scenario: dict[str, Any]) -> pd.DataFrame:
    """Lay out every group's shifts over the run: group, start_s, end_s, corruption, severity.

    A ramp has a row for each of its severities, and rounds are written out up to `duration_s`. Where the group's
    devices meet the shifts at different times, the group has one row, whose corruption is `by_device`.
    """
    duration = float(scenario["duration_s"])
    rows: list[tuple[str, float, float, str, int]] = []
    for name, group in scenario["groups"].items():
        starts = list(_starts(group, duration))
        ends = [*(start for start, _, _ in starts[1:]), duration]
        rows += [(name, start, end, *shift) for (start, *shift), end in zip(starts, ends, strict=True)]
    return pd.DataFrame(rows, columns=["group", "start_s", "end_s", "corruption", "severity"])


def _starts(group: dict[str, Any], duration_s: float) -> Iterator[tuple[float, str, int]]:
    """Yield what a group's devices meet before `duration_s`: start in seconds, corruption, severity."""
    start = group.get("schedule_start", "together")
    together = start == "together" or (start == "staggered" and int(group.get("count", 1)) == 1)
    if not together or group.get("schedule_order", "listed") != "listed":
        yield 0.0, "by_device", 0
        return
    steps = [step for shift in group.get("schedule") or [{}] for step in _steps(shift)]
    offsets = [0.0, *np.cumsum([length for length, _, _ in steps])]
    rounds = group.get("rounds") or 1
    for number in count() if group.get("repeat_schedule") else range(rounds):
        for offset, (_, corruption, severity) in zip(offsets, steps, strict=False):
            start_s = round(number * offsets[-1] + offset, 9) if number else float(offset)
            if start_s >= duration_s:
                return
            yield start_s, corruption, severity
    end_s = round(rounds * offsets[-1], 9)
    if group.get("afterwards") == "clean" and end_s < duration_s:
        yield end_s, "none", 0


def _steps(shift: dict[str, Any]) -> list[tuple[float, str, int]]:
    """Cut a ramp into its severities: length in seconds (infinite where open), corruption, severity."""
    corruption, severity = shift.get("corruption", "none"), int(shift.get("severity", 0))
    length = float(shift.get("duration_s") or math.inf)
    if shift.get("severity_to") is None:
        return [(length, corruption, severity)]
    way = 1 if shift["severity_to"] >= severity else -1
    severities = range(severity, shift["severity_to"] + way, way)
    return [(length / len(severities), corruption if level else "none", level) for level in severities]


def time_bins(scenario: dict[str, Any], bins: int = BINS) -> dict[str, npt.NDArray[np.float64]]:
    """Cut the run into about `bins` bins for each group: group -> edges in seconds, shape (bins + 1,).

    No bin straddles two shifts (unless there are more shifts than bins), and the group's stream is expected
    to bring at least four batches to each.
    """
    duration = float(scenario["duration_s"])
    edges: dict[str, npt.NDArray[np.float64]] = {}
    for name, shifts in shift_schedule(scenario).groupby("group", sort=False):
        group = scenario["groups"][name]
        rate_hz = float(group["stream"]["rate_hz"]) * int(group.get("count", 1))
        width = min(max(duration / bins, _BATCHES_IN_A_BIN / rate_hz), duration)
        if len(shifts) > bins:
            edges[str(name)] = np.linspace(0, duration, max(1, round(duration / width)) + 1)
            continue
        pieces = [
            np.linspace(start, end, max(1, round((end - start) / width)) + 1)[:-1]
            for start, end in zip(shifts["start_s"], shifts["end_s"], strict=True)
        ]
        edges[str(name)] = np.concatenate([*pieces, [duration]])
    return edges


def accuracy_over_time(source: Source, bins: int = BINS) -> pd.DataFrame:
    """Online accuracy by time of arrival, over predicted samples.

    Columns: strategy, group, start_s, end_s, time_s (the bin's centre), samples, correct, accuracy. Bins
    without predictions have no row.
    """
    frames = []
    for label, folder in with_tables(source).items():
        batches = _binned(folder, ["samples", "correct"], bins)
        sums = batches.groupby(["group", "start_s", "end_s", "time_s"], sort=False)[
            ["samples", "correct"]
        ].sum()
        sums = sums.reset_index().astype({"samples": "int64", "correct": "int64"})
        frames.append(_labelled(label, sums.assign(accuracy=sums["correct"] / sums["samples"])))
    return _stacked(frames, ["strategy", *_BIN, "samples", "correct", "accuracy"])


def _binned(folder: Path, columns: list[str], bins: int) -> pd.DataFrame:
    """Read predicted batches with the bin that each arrived in, by group (as in the scenario) and bin."""
    batches = read_predicted(folder, ["group", "arrival_s", *columns])
    frames = []
    for group, edges in time_bins(read_scenario(folder), bins).items():
        rows = batches[batches["group"] == group]
        index = np.clip(np.searchsorted(edges, rows["arrival_s"], side="right") - 1, 0, len(edges) - 2)
        start, end = edges[index], edges[index + 1]
        frames.append(rows.assign(start_s=start, end_s=end, time_s=(start + end) / 2).sort_values("start_s"))
    return _stacked(frames, [*_BIN, *columns])


def accuracy_against_bytes(source: Source) -> pd.DataFrame:
    """What the uplink cost and what it bought: one row per strategy for `(all)`, then one per group.

    Columns: strategy, group, devices, predicted_samples, accuracy with its interval (accuracy_low,
    accuracy_high), uplink_bytes and downlink_bytes (sent in total), uplink_bytes_per_device,
    uploaded_samples, upload_share. What went down to several devices of a cell together is in `(all)` alone.
    """
    frames = [_labelled(label, _cost_rows(folder)) for label, folder in with_tables(source).items()]
    return pd.concat(frames, ignore_index=True)


def _cost_rows(folder: Path) -> pd.DataFrame:
    traffic = traffic_by_device(folder)
    devices = _cost_by_device(folder, traffic)
    to_several = traffic["down"].sum() - devices["down"].sum()  # over channels, which are no devices
    rows = []
    for group in (ALL, *read_scenario(folder)["groups"]):
        members = devices if group == ALL else devices[devices["group"] == group]
        accuracy = ratio_interval(members["correct"], members["samples"])
        predicted, uploaded, candidates = (
            int(members[column].sum()) for column in ("samples", "uploaded", "candidates")
        )
        rows.append(
            {
                "group": group,
                "devices": len(members),
                "predicted_samples": predicted,
                "accuracy": accuracy.estimate,
                "accuracy_low": accuracy.low,
                "accuracy_high": accuracy.high,
                "uplink_bytes": int(members["up"].sum()),
                "downlink_bytes": int(members["down"].sum() + (to_several if group == ALL else 0)),
                "uplink_bytes_per_device": members["up"].sum() / len(members) if len(members) else math.nan,
                "uploaded_samples": uploaded,
                "upload_share": uploaded / candidates if candidates else math.nan,
            }
        )
    return pd.DataFrame(rows)


def _cost_by_device(folder: Path, traffic: pd.DataFrame) -> pd.DataFrame:
    """One row per device: group, samples predicted, correct, uploaded and candidates for that, bytes up and down."""
    devices = read_table(folder, "devices", ["device", "group"]).set_index("device")
    predicted = read_predicted(folder, ["device", "samples", "correct"]).groupby("device").sum()
    sent = traffic[["uploaded", "up", "down"]]
    candidates = candidates_by_device(folder).rename("candidates")
    known = predicted.join([sent, candidates], how="outer").reindex(devices.index)
    return devices.join(known.fillna(0))


def staleness_over_time(source: Source, bins: int = BINS) -> pd.DataFrame:
    """The quantiles of `staleness` by time of arrival: strategy, group, start_s, end_s, time_s, ...

    Only strategies that published an update have rows.
    """
    frames = []
    for label, folder in with_tables(source).items():
        if _publishes(folder):
            batches = _binned(folder, ["samples", *_AGES], bins)
            cells = batches.groupby(_BIN, sort=False)
            rows = [dict(zip(_BIN, key, strict=True)) | _ages(cell) for key, cell in cells]
            frames.append(_labelled(label, pd.DataFrame(rows)))
    return _stacked(frames, ["strategy", *_BIN])


def _publishes(folder: Path) -> bool:
    return bool(read_table(folder, "updates", ["version"])["version"].notna().any())


def _ages(batches: pd.DataFrame) -> dict[str, Any]:
    ages: dict[str, Any] = {"predicted_samples": int(batches["samples"].sum())}
    for column in _AGES:
        found = weighted_quantiles(batches[column], batches["samples"], list(QUANTILES.values()))
        ages |= {f"{column}_{name}": value for name, value in zip(QUANTILES, found, strict=True)}
    return ages


def accuracy_by_shift(source: Source) -> pd.DataFrame:
    """Online accuracy by group and shift, in the schedule's order.

    Columns: strategy, group, corruption, severity, shift, devices, samples, correct, accuracy, accuracy_low,
    accuracy_high (intervals across the group's devices).
    """
    frames = []
    keys = ["group", "corruption", "severity"]
    for label, folder in with_tables(source).items():
        batches = read_predicted(folder, ["device", "group", "corruption", "severity", "samples", "correct"])
        cells = batches.groupby([*keys, "device"])[["samples", "correct"]].sum().reset_index()
        found = dict(iter(cells.groupby(keys)))
        schedule = shift_schedule(read_scenario(folder))[keys].drop_duplicates()
        planned = [key for key in schedule.itertuples(index=False, name=None) if key in found]
        order = planned + sorted(set(found) - set(planned))
        frames.append(_labelled(label, pd.DataFrame([_shift_row(key, found[key]) for key in order])))
    return _stacked(frames, ["strategy", *keys])


def _shift_row(key: tuple[Any, ...], devices: pd.DataFrame) -> dict[str, Any]:
    accuracy = ratio_interval(devices["correct"], devices["samples"])
    return {
        **dict(zip(("group", "corruption", "severity"), key, strict=True)),
        "shift": shift_name(key[1], key[2]),
        "devices": accuracy.units,
        "samples": int(devices["samples"].sum()),
        "correct": int(devices["correct"].sum()),
        "accuracy": accuracy.estimate,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
    }


def _stacked(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Put frames below each other; where none has a row there are at least the columns."""
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _labelled(label: str, frame: pd.DataFrame) -> pd.DataFrame:
    frame.insert(0, "strategy", label)
    return frame
