import math

import numpy as np
import pytest

DRAWS = 20_000


def test_median_and_mean(latency):
    draw = latency(distribution="lognormal", median_ms=40.0, sigma=0.5).sampler(np.random.default_rng(4))
    draws = 1000 * np.array([draw() for _ in range(DRAWS)])
    assert abs((draws < 40.0).mean() - 0.5) < 4 * 0.5 / math.sqrt(DRAWS)
    assert abs(draws.mean() - 40.0 * math.exp(0.125)) < 4 * draws.std() / math.sqrt(DRAWS)
    assert abs(np.log(draws).std() - 0.5) < 4 * 0.5 / math.sqrt(2 * DRAWS)


def test_without_spread_it_is_the_median(latency):
    settings = latency(distribution="lognormal", median_ms=40.0, sigma=0.0)
    assert settings.sampler(np.random.default_rng(0))() == 0.04
    assert settings.least_ms == 40.0


def test_the_median_is_above_zero(latency):
    with pytest.raises(ValueError, match="greater than 0"):
        latency(distribution="lognormal", median_ms=0.0, sigma=1.0)
