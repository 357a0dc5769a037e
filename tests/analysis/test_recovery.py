from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.recovery import changes, measure, recovery
from analysis.runs import read_runs

PERIOD_S = 2.0


def _stretch(
    accuracies: list[float], devices: int = 8, seeds: int = 1, noise: float = 0.0, samples: int = 100
) -> pd.DataFrame:
    """Make one batch of each device every two seconds since a change at 50 s, with these accuracies."""
    random = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        for device in range(devices):
            for place, accuracy in enumerate(accuracies):
                row: dict[str, Any] = {"seed": seed, "device": f"g-{device}", "status": "predicted"}
                row |= {"since_s": PERIOD_S * place, "arrival_s": 50 + PERIOD_S * place, "samples": samples}
                rows.append(row | {"correct": round(samples * (accuracy + noise * random.normal()))})
    return pd.DataFrame(rows)


def _exponential(batches: int, time_s: float) -> list[float]:
    return [0.2 + 0.6 * (1 - math.exp(-PERIOD_S * place / time_s)) for place in range(batches)]


def test_a_step_is_recovered_between_two_windows() -> None:
    found = measure(_stretch([0.2] * 3 + [0.8] * 9))
    assert (found["status"], found["first_accuracy"], found["level"]) == ("recovered", 0.2, 0.8)
    # twelve windows, one for each batch: 90% of the rise, 0.74, lies between the third and the fourth
    assert found["window_s"] == pytest.approx(22 / 12)
    assert found["recovery_s"] == pytest.approx((2.5 + 0.9) * 22 / 12)
    assert found["samples_per_device"] == 4 * 100
    assert (found["start_s"], found["duration_s"]) == (50.0, 22.0)


@pytest.mark.parametrize("time_s", [5.0, 10.0, 20.0])
def test_an_exponential_rise_takes_two_or_three_time_constants(time_s: float) -> None:
    found = measure(_stretch(_exponential(100, time_s)))
    assert found["status"] == "recovered"
    # exactly ln 10 = 2.3 time constants, but for windows of a fifteenth of the stretch
    assert found["recovery_s"] == pytest.approx(math.log(10) * time_s, abs=1.2 * found["window_s"])


def test_a_rise_that_does_not_settle_is_not_reached() -> None:
    found = measure(_stretch([0.1 + 0.05 * place for place in range(15)]))
    assert found["status"] == "not reached"
    assert "recovery_s" not in found


def test_noise_is_no_change() -> None:
    found = measure(_stretch([0.5] * 12, noise=0.05))
    assert found["status"] == "no change"
    assert found["rise_low"] < 0 < found["rise_high"]


def test_a_fall_is_named() -> None:
    found = measure(_stretch([0.8] * 3 + [0.2] * 9))
    assert (found["status"], found["rise_resolved"]) == ("fell", True)


def test_few_devices_leave_the_rise_unresolved() -> None:
    found = measure(_stretch([0.2] * 3 + [0.8] * 9, devices=3))
    assert (found["status"], found["rise_resolved"], found["across"]) == ("recovered", False, "devices")


def test_seeds_take_the_place_of_devices() -> None:
    found = measure(_stretch([0.2] * 3 + [0.8] * 9, devices=2, seeds=5))
    assert (found["rise_resolved"], found["across"], found["seeds"]) == (True, "seeds", 5)


def test_a_short_stretch_says_nothing() -> None:
    assert measure(_stretch([0.2, 0.8, 0.8]))["status"] == "too short"
    assert measure(_stretch([0.2] * 3 + [0.8] * 9, devices=1, samples=10))["status"] == "too short"


def test_dropped_batches_are_seen_but_not_judged() -> None:
    stretch = _stretch([0.2] * 3 + [0.8] * 9)
    stretch.loc[stretch["since_s"] < 2, ["status", "correct"]] = ["dropped", math.nan]
    assert measure(stretch)["status"] == "too short"  # nothing was predicted in the first window
    stretch = _stretch([0.2] * 3 + [0.8] * 9)
    stretch.loc[stretch["since_s"] == 4, ["status", "correct"]] = ["dropped", math.nan]
    found = measure(stretch)
    # read between the centres of the second and the fourth window
    assert found["recovery_s"] == pytest.approx((1.5 + 2 * 0.9) * 22 / 12)
    assert found["samples_per_device"] == 4 * 100


def _write(folder: Path, writer: Callable[..., Path], conditions: list[tuple[str, str, int]]) -> Path:
    rows: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    for place, (device, corruption, severity) in enumerate(conditions):
        row: dict[str, Any] = {"device": device, "group": "g", "batch": numbers.get(device, 0)}
        numbers[device] = row["batch"] + 1
        row |= {"status": "predicted", "arrival_s": float(place), "corruption": corruption}
        rows.append(row | {"severity": severity, "samples": 10, "correct": 5})
    return writer(folder, "source", {"batches": rows})


def test_a_change_begins_with_each_devices_own_first_batch(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    conditions = [("a", "none", 0), ("b", "fog", 1), ("a", "fog", 1), ("a", "fog", 1), ("a", "fog", 2)]
    conditions += [("b", "fog", 1), ("b", "none", 0), ("a", "fog", 1), ("b", "none", 0)]
    found = changes(_write(tmp_path / "run", writer, conditions))
    assert list(
        zip(
            found["device"],
            found["corruption"],
            found["severity"],
            found["time"],
            found["since_s"],
            strict=True,
        )
    ) == [
        ("a", "fog", 1, 0, 0.0),
        ("a", "fog", 1, 0, 1.0),
        ("a", "fog", 2, 0, 0.0),
        ("a", "fog", 1, 1, 0.0),
        ("b", "fog", 1, 0, 0.0),
        ("b", "fog", 1, 0, 4.0),
        ("b", "none", 0, 0, 0.0),
        ("b", "none", 0, 0, 2.0),
    ]


def test_a_world_that_stays_clean_does_not_change(writer: Callable[..., Path], tmp_path: Path) -> None:
    assert changes(_write(tmp_path / "run", writer, [("a", "none", 0)] * 3)).empty


def test_one_row_per_point_strategy_and_change(study_as_left: Path) -> None:
    table = recovery(read_runs(study_as_left))
    assert len(table) == 2 * 3 * 2
    assert table.loc[:1, ["world", "strategy", "corruption", "status", "start_s"]].to_numpy().tolist() == [
        ["mild", "source", "fog", "too short", 11.0],
        ["mild", "source", "none", "too short", 21.0],
    ]


@given(st.lists(st.floats(0, 1), min_size=4, max_size=40), st.integers(1, 3))
def test_whatever_happens_the_outcome_agrees_with_itself(accuracies: list[float], seeds: int) -> None:
    found = measure(_stretch(accuracies, devices=2, seeds=seeds))
    rose = found["status"] in ("recovered", "not reached")
    assert ("recovery_s" in found) is (found["status"] == "recovered")
    if found["status"] == "recovered":
        assert 0 < found["recovery_s"] <= 2 / 3 * found["duration_s"]
        assert 0 < found["samples_per_device"] <= 100 * len(accuracies)
    if found["status"] != "too short":
        assert not rose or found["rise"] > 0
        assert found["status"] != "fell" or found["rise"] < 0


def test_a_level_that_no_whole_window_has_is_not_reached() -> None:
    # five windows: 0.2, 0.2, 0.1, 0.55, 0.6; the last third begins inside the fourth and has 0.66
    accuracies = [0.2] * 10 + [0.1] * 3 + [0.9] * 2 + [0.55] * 5
    found = measure(_stretch(accuracies, devices=4, samples=5))
    assert (found["window_s"], found["status"]) == (pytest.approx(38 / 5), "not reached")
