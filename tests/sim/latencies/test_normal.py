import math
from statistics import NormalDist

import numpy as np
import pytest

DRAWS = 20_000


@pytest.mark.parametrize(("mean_ms", "std_ms"), [(50.0, 5.0), (2.0, 3.0), (0.0, 4.0)])
def test_mean_and_variance_of_the_truncated_normal(latency, mean_ms, std_ms):
    draw = latency(distribution="normal", mean_ms=mean_ms, std_ms=std_ms).sampler(np.random.default_rng(2))
    draws = 1000 * np.array([draw() for _ in range(DRAWS)])
    alpha = -mean_ms / std_ms  # the truncation in standard deviations
    hazard = NormalDist().pdf(alpha) / (1 - NormalDist().cdf(alpha))
    mean = mean_ms + std_ms * hazard
    variance = std_ms**2 * (1 + alpha * hazard - hazard**2)
    assert abs(draws.mean() - mean) < 4 * math.sqrt(variance / DRAWS)
    squares = (draws - mean) ** 2
    assert abs(squares.mean() - variance) < 4 * squares.std() / math.sqrt(DRAWS)


def test_negative_draws_are_drawn_again(latency):
    draw = latency(distribution="normal", mean_ms=1.0, std_ms=2.0).sampler(np.random.default_rng(0))
    listed = [each / 1000 for each in np.random.default_rng(0).normal(1.0, 2.0, 50) if each >= 0]
    assert len(listed) < 50
    np.testing.assert_allclose([draw() for _ in listed], listed)


def test_without_deviation_it_is_the_mean(latency):
    settings = latency(distribution="normal", mean_ms=3.0, std_ms=0.0)
    assert settings.sampler(np.random.default_rng(0))() == 0.003
    assert settings.least_ms == 3.0
