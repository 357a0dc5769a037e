from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import seeds
from analysis.intervals import weighted_quantiles
from analysis.seeds import expanded_level, seed_bands, seed_interval, student_quantile


# NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2, https://doi.org/10.18434/M32189
@pytest.mark.parametrize(
    ("degrees", "level", "quantile"),
    [
        (1, 0.975, 12.706),
        (2, 0.975, 4.303),
        (3, 0.975, 3.182),
        (4, 0.975, 2.776),
        (9, 0.975, 2.262),
        (10, 0.95, 1.812),
        (29, 0.995, 2.756),
        (30, 0.975, 2.042),
        (100, 0.975, 1.984),
    ],
)
def test_students_quantiles(degrees: int, level: float, quantile: float) -> None:
    assert student_quantile(level, degrees) == pytest.approx(quantile, abs=5e-4)


def test_many_degrees_of_freedom_are_normal() -> None:
    assert student_quantile(0.975, 100_000) == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-4)


# -sqrt(n / (n - 1)) t with the tabled t, looked up in the normal distribution
@pytest.mark.parametrize(("n", "t"), [(4, 3.182), (5, 2.776), (10, 2.262)])
def test_expanded_level(n: int, t: float) -> None:
    expected = NormalDist().cdf(-math.sqrt(n / (n - 1)) * t)
    assert expanded_level(n) == pytest.approx(expected, rel=0.01)
    assert expanded_level(n) < 0.025


def test_every_resample_of_a_few_seeds_counts() -> None:
    values = [0.1, 0.4, 0.2, 0.9]
    means = [sum(drawn) / 4 for drawn in product(values, repeat=4)]
    low, high = weighted_quantiles(means, np.ones(len(means)), [expanded_level(4), 1 - expanded_level(4)])
    interval = seed_interval(values)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert (interval.units, interval.across) == (4, "seeds")
    assert interval.estimate == pytest.approx(0.4)


def test_two_seeds_have_their_range() -> None:
    interval = seed_interval([0.2, 0.6])
    assert (interval.low, interval.high) == (0.2, 0.6)
    assert not interval.resolved


def test_one_seed_has_no_interval() -> None:
    interval = seed_interval([0.2, math.nan])
    assert (interval.estimate, interval.units) == (0.2, 1)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_no_seed_has_no_estimate() -> None:
    assert math.isnan(seed_interval([]).estimate)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=7), st.randoms())
def test_the_interval_surrounds_the_mean_whatever_the_order(values: list[float], random: object) -> None:
    interval = seed_interval(values)
    tolerance = 1e-12
    assert min(values) - tolerance <= interval.low <= interval.estimate + tolerance
    assert interval.estimate - tolerance <= interval.high <= max(values) + tolerance
    random.shuffle(values)  # type: ignore[attr-defined]
    assert seed_interval(values).low == pytest.approx(interval.low, abs=1e-12)


def test_many_seeds_are_drawn_and_give_students_width() -> None:
    values = np.random.default_rng(3).normal(size=25)
    interval = seed_interval(values)
    half = student_quantile(0.975, 24) * values.std(ddof=1) / 5
    assert seed_interval(values) == interval
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.08)


def test_drawing_and_enumerating_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=7)
    exact = seed_interval(values)
    seeds._resamples.cache_clear()
    monkeypatch.setattr(seeds, "SEEDS_TO_ENUMERATE", 2)
    drawn = seed_interval(values)
    seeds._resamples.cache_clear()
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.1)
    assert drawn != exact


def test_bands_are_intervals_side_by_side() -> None:
    values = np.array([[0.1, 5.0], [0.2, 1.0], [0.6, 3.0]])
    low, high = seed_bands(values)
    apart = [seed_interval(column) for column in values.T]
    assert low.tolist() == [interval.low for interval in apart]
    assert high.tolist() == [interval.high for interval in apart]
