import math
from itertools import islice

import numpy as np
import pytest

STEPS = 40_000
BLOCKS = 100


def values(settings, steps, seed=1):
    """Return the first values in 10^6 bits per second."""
    pieces = islice(settings.pieces(lambda: np.random.default_rng(seed)), steps)
    return np.array([rate for _, rate in pieces]) / 1e6


def assert_mean(samples, expected):
    """Compare the mean of correlated samples with its expectation, by the spread of the means of long blocks."""
    blocks = samples.reshape(BLOCKS, -1).mean(axis=1)
    assert abs(blocks.mean() - expected) < 4 * blocks.std(ddof=1) / math.sqrt(BLOCKS)


def test_the_formula(bandwidth):
    settings = bandwidth(model="gauss_markov", mean_mbps=10.0, std_mbps=2.0, memory_s=4.0, step_s=0.5)
    w = np.random.default_rng(3).standard_normal(50)
    a = math.exp(-0.5 / 4.0)
    x = [10.0 + 2.0 * w[0]]
    for each in w[1:]:
        x.append(10.0 + a * (x[-1] - 10.0) + 2.0 * math.sqrt(1 - a**2) * each)
    np.testing.assert_allclose(values(settings, 50, seed=3), x, atol=1e-6)


def test_mean_deviation_and_correlation(bandwidth):
    settings = bandwidth(model="gauss_markov", mean_mbps=20.0, std_mbps=2.0, memory_s=5.0, step_s=1.0)
    away = values(settings, STEPS) - 20.0
    assert_mean(away, 0.0)
    assert_mean(away**2, 4.0)
    for lag in (1, 5, 10):
        assert_mean(away * np.roll(away, lag), 4.0 * math.exp(-lag / 5.0))


def test_it_begins_stationary(bandwidth):
    settings = bandwidth(model="gauss_markov", mean_mbps=20.0, std_mbps=2.0, memory_s=100.0)
    away = np.array([values(settings, 1, seed)[0] for seed in range(4000)]) - 20.0
    assert abs(away.mean()) < 4 * 2.0 / math.sqrt(4000)
    assert abs((away**2).mean() - 4.0) < 4 * 4.0 * math.sqrt(2 / 4000)


def test_the_floor_raises_values_and_leaves_the_process(bandwidth):
    given = {"model": "gauss_markov", "mean_mbps": 1.0, "std_mbps": 1.0, "memory_s": 2.0}
    floored = values(bandwidth(least_mbps=0.5, **given), 1000)
    free = values(bandwidth(**given), 1000)
    assert (free == 0).any()  # below zero is no bandwidth
    np.testing.assert_array_equal(floored, np.maximum(free, 0.5))


def test_steps_are_whole_nanoseconds(bandwidth):
    settings = bandwidth(model="gauss_markov", mean_mbps=1.0, std_mbps=0.1, step_s=0.3)
    starts = [start for start, _ in islice(settings.pieces(lambda: np.random.default_rng(0)), 4)]
    assert starts == [0, 300_000_000, 600_000_000, 900_000_000]


def test_without_deviation_it_is_constant(bandwidth, no_draws):
    assert list(bandwidth(model="gauss_markov", mean_mbps=1.5, std_mbps=0.0).pieces(no_draws)) == [
        (0, 1_500_000)
    ]


def test_the_floor_is_no_more_than_the_mean(bandwidth):
    with pytest.raises(ValueError, match="must be at most mean_mbps, 2"):
        bandwidth(model="gauss_markov", mean_mbps=2.0, std_mbps=1.0, least_mbps=3.0)
