from __future__ import annotations

import math

import numpy as np
import pytest

from analysis import intervals
from analysis.intervals import Interval, ratio_interval, weighted_quantiles


def test_estimates_the_ratio_of_sums() -> None:
    assert ratio_interval([8, 1], [10, 20]).estimate == 0.3


def test_equal_devices_leave_no_doubt() -> None:
    assert ratio_interval([5, 5, 5], [10, 10, 10]) == Interval(0.5, 0.5, 0.5, 3)


def test_one_device_has_no_interval() -> None:
    interval = ratio_interval([5, 0], [10, 0])
    assert (interval.estimate, interval.units) == (0.5, 1)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_no_device_has_no_estimate() -> None:
    assert math.isnan(ratio_interval([], []).estimate)


def test_order_does_not_matter() -> None:
    assert ratio_interval([1, 2, 3, 9], [10, 20, 10, 10]) == ratio_interval([9, 3, 2, 1], [10, 10, 20, 10])


def test_few_cells_at_a_time_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ratio_interval(range(20), [20] * 20)
    monkeypatch.setattr(intervals, "_CELLS_AT_A_TIME", 100)
    assert ratio_interval(range(20), [20] * 20) == whole


def test_width_is_that_of_the_mean_over_devices() -> None:
    shares = np.random.default_rng(1).normal(0.6, 0.1, size=400)
    interval = ratio_interval(shares * 100, np.full(400, 100))
    half_width = 1.96 * shares.std() / np.sqrt(400)
    assert interval.low == pytest.approx(shares.mean() - half_width, abs=0.002)
    assert interval.high == pytest.approx(shares.mean() + half_width, abs=0.002)


def test_five_seeds_resolve_a_sign() -> None:
    assert Interval(0.1, 0.05, 0.2, 5, "seeds").resolved
    assert not Interval(0.1, 0.05, 0.2, 4, "seeds").resolved


@pytest.mark.parametrize(
    ("low", "high", "devices", "resolved"),
    [
        (0.1, 0.2, 6, True),
        (-0.2, -0.1, 6, True),
        (-0.1, 0.2, 6, False),
        (0.0, 0.2, 6, False),
        (0.1, 0.2, 5, False),
        (math.nan, math.nan, 6, False),
    ],
)
def test_resolved(low: float, high: float, devices: int, resolved: bool) -> None:
    assert Interval(0.1, low, high, devices).resolved is resolved


def test_quantiles_are_those_of_repeated_values() -> None:
    values, weights, levels = [3.0, 1.0, 2.0, 9.0], [4, 1, 3, 2], [0.05, 0.1, 0.4, 0.41, 0.5, 0.95, 1.0]
    repeated = np.repeat(values, weights)
    assert weighted_quantiles(values, weights, levels) == [
        float(np.quantile(repeated, level, method="inverted_cdf")) for level in levels
    ]


def test_quantiles_leave_out_what_is_missing() -> None:
    assert weighted_quantiles([math.nan, 2.0, 5.0], [9, 1, 0], [0.5]) == [2.0]
    assert math.isnan(weighted_quantiles([], [], [0.5])[0])
