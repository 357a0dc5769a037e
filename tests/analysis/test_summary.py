from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.summary import summarise, write_summary
from sim.results import TABLES

CONTRACT = [
    "accuracy",
    "accuracy_by_shift",
    "accuracy_worst_device",
    "samples",
    "predicted_samples",
    "dropped_samples",
    "uploaded_samples",
    "upload_share",
    "uplink_bytes",
    "downlink_bytes",
    "retransmitted_bytes",
    "updates_published",
    "staleness_p50_s",
    "staleness_p95_s",
    "prediction_latency_p50_s",
    "prediction_latency_p95_s",
    "cloud_busy_s",
    "cloud_flops",
    "device_flops",
    "simulated_s",
    "wall_s",
]


def test_accuracies(source: Path) -> None:
    summary = summarise(source)
    assert summary["accuracy"] == 23 / 50
    assert summary["accuracy_by_shift"] == {"fog-3": 0.3, "gaussian_noise-5": 0.3, "none": 0.7}
    assert summary["accuracy_by_group"] == {"lte": 0.3, "wired": 0.5}
    assert summary["accuracy_by_group_and_shift"] == {
        "lte": {"gaussian_noise-5": 0.3},
        "wired": {"fog-3": 0.3, "none": 0.7},
    }
    assert summary["accuracy_by_device"] == {"lte-0": 0.3, "wired-0": 0.6, "wired-1": 0.4}
    assert summary["accuracy_worst_device"] == 0.3
    assert summary["accuracy_interval"][0] < 0.46 < summary["accuracy_interval"][1]


def test_samples(source: Path, cema: Path) -> None:
    summary = summarise(source)
    assert [summary[key] for key in ("samples", "predicted_samples", "dropped_samples")] == [60, 50, 10]
    summary = summarise(cema)
    assert [summary[key] for key in ("uploaded_samples", "upload_share")] == [15, 0.25]


def test_bytes_of_transfers_that_have_started(cema: Path) -> None:
    summary = summarise(cema)
    assert summary["uplink_bytes"] == (1000 + 40 + 500) + (2000 + 80)
    assert summary["downlink_bytes"] == 840
    assert summary["retransmitted_bytes"] == 500


def test_ledger_totals(cema: Path) -> None:
    ledger = summarise(cema)["ledger"]
    names = ["queued", "sent", "delivered", "lost", "in_flight"]
    assert [ledger["uplink"][f"{name}_bytes"] for name in names] == [3120, 3620, 1040, 500, 2080]
    assert [ledger["downlink"][f"{name}_bytes"] for name in names] == [0, 840, 840, 0, 0]


def test_time(source: Path, cema: Path) -> None:
    summary = summarise(source)
    assert (summary["prediction_latency_p50_s"], summary["prediction_latency_p95_s"]) == (0.375, 0.625)
    assert (summary["staleness_p50_s"], summary["staleness_p95_s"]) == (None, None)
    summary = summarise(cema)
    assert (summary["staleness_p50_s"], summary["staleness_p95_s"]) == (3.0, 16.0)
    assert (summary["simulated_s"], summary["wall_s"]) == (40.0, 1.5)


def test_cloud_and_devices(cema: Path) -> None:
    summary = summarise(cema)
    assert summary["updates_published"] == 1
    assert summary["cloud_busy_s"] == (7 - 5) + (40 - 38)
    assert summary["cloud_flops"] == 150
    assert summary["device_flops"] == 3_000


@pytest.mark.parametrize("state", ["damaged", "withheld", "waiting"])
def test_samples_that_not_every_result_folder_counts(cema: Path, state: str) -> None:
    path = cema / "devices.parquet"
    devices = pd.read_parquet(path)
    devices.drop(columns=f"samples_{state}").to_parquet(path)
    assert f"{state}_samples" not in summarise(cema)
    devices.assign(**{f"samples_{state}": [2, 0, 1]}).to_parquet(path)
    assert summarise(cema)[f"{state}_samples"] == 3


def test_samples_that_devices_missed_and_lost(cema: Path) -> None:
    path = cema / "batches.parquet"
    batches = pd.read_parquet(path)
    batches.loc[[0, 1, 2, 3], "status"] = ["missed", "lost", "missed", "queued"]
    batches.to_parquet(path)
    summary = summarise(cema)
    statuses = ("predicted", "dropped", "missed", "lost", "queued", "in_progress")
    assert [summary[f"{status}_samples"] for status in statuses] == [20, 0, 20, 10, 10, 0]
    assert summary["samples"] == 60


def spending(folder: Path, **joules: list[float | None]) -> dict[str, Any]:
    """Summarise with these joules of the three devices, by part."""
    path = folder / "devices.parquet"
    columns = {f"energy_{part}_j": pd.Series(values, dtype=float) for part, values in joules.items()}
    pd.read_parquet(path).assign(**columns).to_parquet(path)
    return summarise(folder)


def test_energy_by_part_and_for_a_thousand_predictions(cema: Path) -> None:
    summary = spending(
        cema, compute=[1.0, 2.0, 3.0], idle=[0.5, 0.5, 1.0], transmit=[0.25] * 3, receive=[0.0, 0.25, 0.0]
    )
    assert summary["energy_j"] == {"compute": 6.0, "idle": 2.0, "transmit": 0.75, "receive": 0.25}
    assert summary["predicted_samples"] == 60
    assert summary["energy_j_per_1000_predictions"] == 150.0


def test_energy_that_some_device_does_not_know_is_not_known_of_the_fleet(cema: Path) -> None:
    unknown = [None, None, None]
    summary = spending(
        cema, compute=[1.0, 2.0, 3.0], idle=[1.0, None, 1.0], transmit=unknown, receive=unknown
    )
    assert summary["energy_j"] == {"compute": 6.0, "idle": None, "transmit": None, "receive": None}
    assert summary["energy_j_per_1000_predictions"] is None


def test_without_any_power_nothing_is_said_of_energy(cema: Path) -> None:
    assert not {"energy_j", "energy_j_per_1000_predictions"} & summarise(cema).keys()
    path = cema / "devices.parquet"
    devices = pd.read_parquet(path)
    devices.drop(columns=[name for name in devices if name.startswith("energy_")]).to_parquet(path)
    assert not {"energy_j", "energy_j_per_1000_predictions"} & summarise(cema).keys()


def test_a_cloud_that_scales_and_crashes(writer: Callable[..., Path], tmp_path: Path) -> None:
    """One accelerator for 40 s, and a second from its start at 10 s to the crash at 22 s."""
    cloud = [
        {"time_s": 0.0, "event": "started", "accelerators": 1},
        {"time_s": 10.0, "event": "accelerator_starting", "accelerators": 2},
        {"time_s": 12.0, "event": "accelerator_ready", "accelerators": 2},
        {"time_s": 22.0, "event": "crashed", "accelerators": 1},
        {"time_s": 25.0, "event": "restarted", "accelerators": 1},
    ]
    updates = [
        {"student": "fleet", "status": "finished", "start_s": 1.0, "finish_s": 2.0, "flops": 3, "version": 1},
        {"student": "fleet", "status": "lost", "start_s": 21.0, "finish_s": 22.0, "flops": 0},
        {"student": "fleet", "status": "lost", "start_s": None, "finish_s": 22.0, "flops": 0},
    ]
    lost = {column: 0 for column in TABLES["devices.parquet"].names if column.endswith("_bytes")}
    lost |= {
        "device": "a",
        "flops": 0,
        "samples_refused": 5,
        "samples_lost_by_cloud": 7,
        "samples_lost_by_uplink": 9,
    }
    tables = {"cloud": cloud, "updates": updates, "devices": [lost]}
    summary = summarise(writer(tmp_path / "run", "cema", tables))
    assert (summary["cloud_accelerator_s"], summary["cloud_crashes"]) == (40 + 12, 1)
    assert (summary["cloud_steps"], summary["cloud_steps_lost"], summary["cloud_busy_s"]) == (2, 2, 2.0)
    losses = ("refused_samples", "lost_by_cloud_samples", "lost_by_uplink_samples")
    assert [summary[name] for name in losses] == [5, 7, 9]


def test_results_from_before_clouds_could_fail(cema: Path) -> None:
    (cema / "cloud.parquet").unlink()
    for name, columns in (
        ("devices", ["samples_refused", "samples_lost_by_cloud"]),
        ("updates", ["status"]),
    ):
        path = cema / f"{name}.parquet"
        pd.read_parquet(path).drop(columns=columns).to_parquet(path)
    summary = summarise(cema)
    assert summary["cloud_busy_s"] == (7 - 5) + (40 - 38)
    absent = ("cloud_accelerator_s", "cloud_crashes", "cloud_steps_lost", "refused_samples")
    assert not set(absent) & set(summary)


def test_versions_of_two_students_are_two_updates(writer: Callable[..., Path], tmp_path: Path) -> None:
    step = {"start_s": 1.0, "finish_s": 2.0, "flops": 1, "version": 1}
    updates = [{"student": "wired", **step}, {"student": "lte", **step}]
    assert summarise(writer(tmp_path / "run", "cema", {"updates": updates}))["updates_published"] == 2


def test_a_run_interrupted_before_anything_happened(writer: Callable[..., Path], tmp_path: Path) -> None:
    summary = summarise(writer(tmp_path / "run", "cema", {}, {"status": "interrupted", "simulated_s": 0.0}))
    assert summary["status"] == "interrupted"
    nothing = (
        "accuracy",
        "accuracy_worst_device",
        "upload_share",
        "prediction_latency_p50_s",
        "staleness_p50_s",
    )
    assert [summary[key] for key in nothing] == [None] * 5
    assert summary["accuracy_by_shift"] == {}
    zero = ("samples", "uplink_bytes", "cloud_busy_s", "cloud_flops", "device_flops", "updates_published")
    assert [summary[key] for key in zero] == [0] * 6


def test_written_as_sorted_json_without_nan(source: Path) -> None:
    summary = write_summary(source)
    text = (source / "summary.json").read_text()
    assert json.loads(text) == summary
    assert text.startswith('{\n  "accuracy": 0.46,\n')
    assert "NaN" not in text
    assert list(json.loads(text)) == sorted(summary)
    assert set(CONTRACT) <= set(summary)


def test_versions_that_a_reset_numbers_anew_are_updates_of_their_own(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    step = {"student": "fleet", "start_s": 1.0, "finish_s": 2.0, "flops": 1, "version": 1}
    updates = [step, step | {"start_s": 3.0, "finish_s": 4.0}]
    assert summarise(writer(tmp_path / "run", "cema", {"updates": updates}))["updates_published"] == 2
