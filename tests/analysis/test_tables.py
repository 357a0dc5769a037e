from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import tables
from analysis.tables import shift_schedule, time_bins


def _scenario(*schedule: tuple[str, int, float | None], repeat: bool = False, **group: Any) -> dict[str, Any]:
    shifts = [
        {"corruption": name, "severity": level, "duration_s": length} for name, level, length in schedule
    ]
    described = {
        "schedule": shifts,
        "repeat_schedule": repeat,
        "stream": {"rate_hz": 10.0},
        "count": 2,
    } | group
    return {"duration_s": 100, "groups": {"g": described}}


def _spans(frame: pd.DataFrame) -> list[tuple[float, float, str]]:
    return list(zip(frame["start_s"], frame["end_s"], frame["corruption"], strict=True))


def test_the_last_shift_lasts() -> None:
    schedule = shift_schedule(_scenario(("none", 0, 30.0), ("fog", 3, 10.0)))
    assert _spans(schedule) == [(0, 30, "none"), (30, 100, "fog")]
    assert schedule["severity"].tolist() == [0, 3]


def test_an_open_shift_lasts() -> None:
    assert _spans(shift_schedule(_scenario(("fog", 3, None)))) == [(0, 100, "fog")]


def test_a_repeated_schedule_is_cut_at_the_end() -> None:
    schedule = shift_schedule(_scenario(("none", 0, 30.0), ("fog", 3, 20.0), repeat=True, count=1))
    assert _spans(schedule) == [(0, 30, "none"), (30, 50, "fog"), (50, 80, "none"), (80, 100, "fog")]


def test_shifts_beyond_the_end_do_not_happen() -> None:
    schedule = shift_schedule(_scenario(("none", 0, 60.0), ("fog", 3, 40.0), ("snow", 1, 5.0)))
    assert _spans(schedule) == [(0, 60, "none"), (60, 100, "fog")]


def test_a_group_without_schedule_is_clean() -> None:
    assert _spans(shift_schedule(_scenario())) == [(0, 100, "none")]


def test_no_bin_straddles_two_shifts() -> None:
    edges = time_bins(_scenario(("none", 0, 33.0), ("fog", 3, None)), bins=10)["g"]
    assert edges.tolist() == pytest.approx([0, 11, 22, 33, *(33 + 67 / 7 * i for i in range(1, 8))])


def test_bins_hold_four_batches_of_a_slow_stream() -> None:
    edges = time_bins(_scenario(("none", 0, None), stream={"rate_hz": 0.1}, count=2), bins=60)["g"]
    assert edges.tolist() == [0, 20, 40, 60, 80, 100]


def test_more_shifts_than_bins_give_equal_bins() -> None:
    edges = time_bins(_scenario(("none", 0, 1.0), ("fog", 3, 1.0), repeat=True), bins=4)["g"]
    assert edges.tolist() == [0, 25, 50, 75, 100]


def test_accuracy_over_time(both: Path) -> None:
    table = tables.accuracy_over_time(both, bins=2)
    assert list(table) == [
        "strategy",
        "group",
        "start_s",
        "end_s",
        "time_s",
        "samples",
        "correct",
        "accuracy",
    ]
    assert table.to_numpy().tolist() == [
        ["source", "wired", 0, 20, 10, 20, 14, 0.7],
        ["source", "wired", 20, 40, 30, 20, 6, 0.3],
        ["source", "lte", 0, 40, 20, 10, 3, 0.3],
        ["cema", "wired", 0, 20, 10, 20, 14, 0.7],
        ["cema", "wired", 20, 40, 30, 20, 14, 0.7],
        ["cema", "lte", 0, 40, 20, 20, 12, 0.6],
    ]


def test_accuracy_against_bytes(both: Path) -> None:
    table = tables.accuracy_against_bytes(both).set_index(["strategy", "group"])
    assert table.index.tolist() == [(s, g) for s in ("source", "cema") for g in ("(all)", "wired", "lte")]
    assert table["uplink_bytes"].tolist() == [0, 0, 0, 3620, 3620, 0]
    assert table["uplink_bytes_per_device"].tolist() == [0, 0, 0, 3620 / 3, 1810, 0]
    assert table["downlink_bytes"].tolist() == [0, 0, 0, 840, 840, 0]
    assert table["uploaded_samples"].tolist() == [0, 0, 0, 15, 10, 5]
    assert table["upload_share"].tolist() == [0, 0, 0, 0.25, 0.25, 0.25]
    assert table["accuracy"].tolist() == [0.46, 0.5, 0.3, 40 / 60, 0.7, 0.6]
    assert table["devices"].tolist() == [3, 2, 1, 3, 2, 1]
    assert table.loc[("source", "wired"), ["accuracy_low", "accuracy_high"]].tolist() == [0.4, 0.6]
    assert table.loc[("source", "lte"), ["accuracy_low", "accuracy_high"]].isna().all()


def test_what_goes_down_to_a_whole_cell_is_of_no_group(cema: Path) -> None:
    path = cema / "transfers.parquet"
    transfers = pd.read_parquet(path)
    channel = transfers[transfers["kind"] == "update"].assign(device="town/fleet", group=None)
    pd.concat([transfers, channel]).to_parquet(path)
    table = tables.accuracy_against_bytes(cema)
    assert table["downlink_bytes"].tolist() == [1680, 840, 0]


def test_staleness_over_time_has_publishing_strategies_only(both: Path) -> None:
    table = tables.staleness_over_time(both, bins=2)
    assert table["strategy"].unique().tolist() == ["cema"]
    assert table["time_s"].tolist() == [10, 30, 20]
    assert table["version_age_s_p5"].tolist() == [1.0, 14.0, 3.0]
    assert table["version_age_s_p95"].tolist() == [2.0, 15.0, 16.0]


def test_staleness_over_time_without_updates(source: Path) -> None:
    assert tables.staleness_over_time(source).empty


def test_accuracy_by_shift(both: Path) -> None:
    table = tables.accuracy_by_shift(both)
    assert table[["strategy", "group", "shift", "correct", "samples"]].to_numpy().tolist() == [
        ["source", "wired", "none", 14, 20],
        ["source", "wired", "fog-3", 6, 20],
        ["source", "lte", "gaussian_noise-5", 3, 10],
        ["cema", "wired", "none", 14, 20],
        ["cema", "wired", "fog-3", 14, 20],
        ["cema", "lte", "gaussian_noise-5", 12, 20],
    ]
    assert table.loc[0, ["accuracy", "accuracy_low", "accuracy_high"]].tolist() == [0.7, 0.6, 0.8]
    assert math.isnan(table.loc[2, "accuracy_low"])
