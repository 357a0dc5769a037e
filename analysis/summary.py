"""The summary of one strategy's run: `summary.json`, computed from its tables alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.intervals import ratio_interval, weighted_quantiles
from analysis.reading import read_manifest, read_predicted, read_table
from analysis.traffic import traffic_by_device
from analysis.units import shift_name
from sim.results import SUMMARY

_DIRECTIONS = {"uplink": "up", "downlink": "down"}
_STATES = ("queued", "sent", "delivered", "lost", "in_flight")
_LATER = {  # counters of samples that are not in every result folder
    "samples_damaged": "damaged_samples",
    "samples_refused": "refused_samples",
    "samples_lost_by_cloud": "lost_by_cloud_samples",
}


def write_summary(folder: Path) -> dict[str, Any]:
    """Write `summary.json` into the folder of one strategy, and return what it says."""
    summary = summarise(folder)
    text = json.dumps(summary, indent=2, sort_keys=True, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    return summary


def summarise(folder: Path) -> dict[str, Any]:
    """Compute the summary of one strategy's run, finished or interrupted.

    Accuracies are online accuracies, correct / predicted samples, as shares; sizes are bytes, times seconds.
    What does not exist (an accuracy without predictions, staleness without updates) is None.
    """
    manifest = read_manifest(folder)
    columns = ["device", "group", "corruption", "severity", "samples", "correct"]
    timing = ["arrival_s", "completion_s", "version_age_s"]
    predicted = read_predicted(folder, columns + timing)
    updates = _updates(folder, float(manifest["simulated_s"]))
    links = _links(folder)
    summary = {
        **{key: manifest.get(key) for key in ("scenario", "strategy", "seed", "status")},
        **_accuracies(predicted),
        **_samples(folder, predicted),
        **links,
        "upload_share": _ratio(links["uploaded_samples"], int(predicted["samples"].sum())),
        **_timing(predicted, anything_published=updates["updates_published"] > 0),
        **updates,
        **_cloud(folder, float(manifest["simulated_s"])),
        **_devices(folder),
        "simulated_s": manifest["simulated_s"],
        "wall_s": manifest.get("wall_s"),
    }
    return {key: _without_nan(value) for key, value in summary.items()}


def _accuracies(predicted: pd.DataFrame) -> dict[str, Any]:
    shifts = [
        shift_name(corruption, severity)
        for corruption, severity in zip(predicted["corruption"], predicted["severity"], strict=True)
    ]
    batches = predicted[["device", "group", "samples", "correct"]].assign(shift=shifts)
    by_device = batches.groupby("device")[["correct", "samples"]].sum()
    fleet = ratio_interval(by_device["correct"], by_device["samples"])
    cells: dict[str, dict[str, float]] = {
        str(group): _accuracy_by(rows, "shift") for group, rows in batches.groupby("group")
    }
    return {
        "accuracy": fleet.estimate,
        "accuracy_interval": [fleet.low, fleet.high],
        "accuracy_by_device": _accuracy_by(batches, "device"),
        "accuracy_by_group": _accuracy_by(batches, "group"),
        "accuracy_by_group_and_shift": cells,
        "accuracy_by_shift": _accuracy_by(batches, "shift"),
        "accuracy_worst_device": min(_accuracy_by(batches, "device").values(), default=None),
    }


def _accuracy_by(batches: pd.DataFrame, key: str) -> dict[str, float]:
    sums = batches.groupby(key)[["correct", "samples"]].sum()
    return {str(name): float(share) for name, share in (sums["correct"] / sums["samples"]).items()}


def _samples(folder: Path, predicted: pd.DataFrame) -> dict[str, int]:
    arrived = read_table(folder, "batches", ["status", "samples"])
    return {
        "samples": int(arrived["samples"].sum()),
        "predicted_samples": int(predicted["samples"].sum()),
        "dropped_samples": int(arrived.loc[arrived["status"] == "dropped", "samples"].sum()),
    }


def _timing(predicted: pd.DataFrame, *, anything_published: bool) -> dict[str, float]:
    samples = predicted["samples"]
    latency = weighted_quantiles(predicted["completion_s"] - predicted["arrival_s"], samples, [0.5, 0.95])
    age = [math.nan, math.nan]
    if anything_published:
        age = weighted_quantiles(predicted["version_age_s"], samples, [0.5, 0.95])
    return {
        "prediction_latency_p50_s": latency[0],
        "prediction_latency_p95_s": latency[1],
        "staleness_p50_s": age[0],
        "staleness_p95_s": age[1],
    }


def _links(folder: Path) -> dict[str, int]:
    totals = traffic_by_device(folder).sum()
    return {
        "uplink_bytes": int(totals["up"]),
        "downlink_bytes": int(totals["down"]),
        "retransmitted_bytes": int(totals["retransmitted"]),
        "uploaded_samples": int(totals["uploaded"]),
    }


def _updates(folder: Path, simulated_s: float) -> dict[str, Any]:
    columns = ["student", "start_s", "finish_s", "flops", "version"]
    updates = read_table(folder, "updates", columns, optional=["status"])
    begun = updates[updates["start_s"].notna()]
    busy = np.minimum(begun["finish_s"], simulated_s) - begun["start_s"]
    lost = {"cloud_steps_lost": int((updates["status"] == "lost").sum())} if "status" in updates else {}
    return {
        "updates_published": int(updates["version"].notna().sum()),
        "cloud_steps": len(begun),
        **lost,
        "cloud_busy_s": float(busy.sum()),
        "cloud_flops": int(updates["flops"].sum()),
    }


def _cloud(folder: Path, simulated_s: float) -> dict[str, Any]:
    """Count the cloud's crashes, and add up the time for which each accelerator was there or starting."""
    if not (folder / "cloud.parquet").is_file():
        return {}
    events = read_table(folder, "cloud", ["time_s", "event", "accelerators"])
    lasted = np.diff(events["time_s"], append=simulated_s)
    return {
        "cloud_crashes": int((events["event"] == "crashed").sum()),
        "cloud_accelerator_s": float((events["accelerators"] * lasted).sum()),
    }


def _devices(folder: Path) -> dict[str, Any]:
    """Add up the devices' counters: FLOPs, samples that came to nothing, and in both directions bytes by state."""
    columns = {
        name: {f"{state}_bytes": f"{direction}link_{state}_bytes" for state in _STATES}
        for name, direction in _DIRECTIONS.items()
    }
    wanted = [column for states in columns.values() for column in states.values()]
    totals = read_table(folder, "devices", ["flops", *wanted], optional=list(_LATER)).sum()
    ledger = {
        name: {state: int(totals[column]) for state, column in states.items()}
        for name, states in columns.items()
    }
    later = {name: int(totals[column]) for column, name in _LATER.items() if column in totals}
    return {"device_flops": int(totals["flops"]), "ledger": ledger, **later}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _without_nan(value: Any) -> Any:
    """Put None in the place of every NaN and infinity, inside lists and mappings too."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
