from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.intervals import ratio_interval
from analysis.pooling import pooled, pooled_values
from analysis.runs import Point
from analysis.seeds import seed_interval

A, B = ("a",), ("b",)


def _sums(cells: dict[tuple[Point, int], list[tuple[int, int]]]) -> dict[tuple[Point, int], pd.DataFrame]:
    return {
        key: pd.DataFrame(devices, columns=["top", "bottom"], index=[f"d{i}" for i in range(len(devices))])
        for key, devices in cells.items()
    }


def test_seeds_are_averaged_over_points_first() -> None:
    sums = _sums({(A, 0): [(1, 10)], (B, 0): [(5, 10)], (A, 1): [(2, 10)], (B, 1): [(8, 10)]})
    found, seeds = pooled(sums, [A, B])
    expected = seed_interval([0.3, 0.5])
    assert seeds == 2
    assert (found.estimate, found.low, found.high) == pytest.approx((0.4, expected.low, expected.high))


def test_a_seed_without_all_points_does_not_count() -> None:
    sums = _sums({(A, 0): [(1, 10)], (B, 0): [(5, 10)], (A, 1): [(9, 10)], (B, 1): [(0, 0)]})
    found, seeds = pooled(sums, [A, B])
    assert (found.estimate, seeds) == (pytest.approx(0.3), 1)
    assert pooled(sums, [A])[1] == 2


def test_one_seed_and_one_point_fall_back_to_devices() -> None:
    found, seeds = pooled(_sums({(A, 0): [(1, 10), (4, 20), (9, 10)]}), [A])
    expected = ratio_interval([1, 4, 9], [10, 20, 10])
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high)
    )
    assert (found.units, found.across, seeds) == (3, "devices", 1)


def test_points_weigh_the_same_whatever_their_samples() -> None:
    found, _seeds = pooled(_sums({(A, 0): [(1, 10), (1, 10)], (B, 0): [(300, 500), (500, 500)]}), [A, B])
    assert found.estimate == pytest.approx((0.1 + 0.8) / 2)
    assert (found.low, found.high) == pytest.approx(((0.1 + 0.6) / 2, (0.1 + 1.0) / 2))


def test_nothing_is_nothing() -> None:
    found, seeds = pooled({}, [A])
    assert (seeds, math.isnan(found.estimate)) == (0, True)


def test_plain_numbers() -> None:
    values = {(A, 0): 1.0, (B, 0): 3.0, (A, 1): 5.0, (B, 1): math.nan, (A, 2): 3.0, (B, 2): 5.0}
    found = pooled_values(values, [A, B])
    assert (found.estimate, found.low, found.high, found.units) == (3.0, 2.0, 4.0, 2)
    assert math.isnan(pooled_values({(A, 0): 1.0}, [A]).low)
