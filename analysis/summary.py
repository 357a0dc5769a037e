"""The summary of one strategy's run: `summary.json`, computed from its tables alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.intervals import ratio_interval, weighted_quantiles
from analysis.reading import ResultsError, read_manifest, read_predicted, read_table
from analysis.traffic import candidates_by_device, ledgers, traffic_by_device
from analysis.units import shift_name
from sim.results import ENERGY, SUMMARY

_UNPREDICTED = ("dropped", "missed", "lost", "queued", "in_progress")
_LATER = {  # counters of samples that are not in every result folder
    f"samples_{state}": f"{state}_samples"
    for state in ("damaged", "lost_by_uplink", "withheld", "waiting", "refused", "lost_by_cloud")
}
_ENERGY = [f"energy_{part}_j" for part in ENERGY]


def write_summary(folder: Path) -> dict[str, Any]:
    """Write `summary.json` into the folder of one strategy, and return what it says."""
    summary = summarise(folder)
    text = json.dumps(summary, indent=2, sort_keys=True, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    return summary


def read_summary(folder: Path) -> dict[str, Any]:
    """Return what `summary.json` says of one strategy's run, or compute it where there is none.

    Raises ResultsError for a file that holds something else.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return summarise(folder)
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(summary, dict):
        raise ResultsError(f"{path}: expected a mapping, found {type(summary).__name__}")
    return summary


def summarise(folder: Path) -> dict[str, Any]:
    """Compute the summary of one strategy's run, finished or interrupted.

    Accuracies are online accuracies, correct / predicted samples, as shares; sizes are bytes, times seconds. The upload
    share is that of the samples that devices predicted or asked the cloud about.
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
        "upload_share": _ratio(links["uploaded_samples"], int(candidates_by_device(folder).sum())),
        **_timing(predicted, anything_published=updates["updates_published"] > 0),
        **updates,
        **_cloud(folder, float(manifest["simulated_s"])),
        **_devices(folder),
        "ledger": ledgers(folder),
        **_energy(folder, int(predicted["samples"].sum())),
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
    by_status = arrived.groupby("status")["samples"].sum()
    return {
        "samples": int(arrived["samples"].sum()),
        "predicted_samples": int(predicted["samples"].sum()),
        **{f"{status}_samples": int(by_status.get(status, 0)) for status in _UNPREDICTED},
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
    """Add up the devices' counters: FLOPs, and samples that came to nothing."""
    totals = read_table(folder, "devices", ["flops"], optional=list(_LATER)).sum()
    later = {name: int(totals[column]) for column, name in _LATER.items() if column in totals}
    return {"device_flops": int(totals["flops"]), **later}


def _energy(folder: Path, predictions: int) -> dict[str, Any]:
    """Add up what the devices spent, by part; None where some device's power is not known, nothing where none's is."""
    found = read_table(folder, "devices", ["device"], optional=_ENERGY)
    totals = found[[column for column in _ENERGY if column in found]].sum(skipna=False)
    parts = {part: float(totals.get(column, math.nan)) for part, column in zip(ENERGY, _ENERGY, strict=True)}
    if found.empty or not any(map(math.isfinite, parts.values())):
        return {}
    return {
        "energy_j": parts,
        "energy_j_per_1000_predictions": _ratio(1000 * sum(parts.values()), predictions),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _without_nan(value: Any) -> Any:
    """Put None in the place of every NaN and infinity, inside lists and mappings too."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
