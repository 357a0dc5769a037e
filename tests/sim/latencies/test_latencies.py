import numpy as np
import pytest

from scenarios import catalogue

EACH = [
    {"distribution": "normal", "mean_ms": 2.0, "std_ms": 3.0},
    {"distribution": "normal", "mean_ms": 2.0, "std_ms": 0.0},
    {"distribution": "lognormal", "median_ms": 20.0, "sigma": 0.7},
    {"distribution": "lognormal", "median_ms": 20.1, "sigma": 0.0},
    {"distribution": "empirical", "values_ms": [7.3, 5.1, 9.0]},
    {"distribution": "empirical", "file": "latency-lte.csv"},
]


def test_distributions_are_told_by_their_name(latency):
    assert {given["distribution"] for given in EACH} == set(catalogue.names(catalogue.LATENCIES))
    with pytest.raises(ValueError, match="`distribution` must be one of: empirical, lognormal, normal"):
        latency(distribution="pareto", mean_ms=1.0)


@pytest.mark.parametrize("given", EACH)
def test_no_draw_is_below_the_least(latency, given):
    settings = latency(**given)
    draw = settings.sampler(np.random.default_rng(0))
    draws = [draw() for _ in range(2000)]
    assert min(draws) >= settings.least_ms / 1000 >= 0
    assert {type(each) for each in draws} == {float}


@pytest.mark.parametrize("given", EACH)
def test_equal_generators_draw_the_same(latency, given):
    first, second = (latency(**given).sampler(np.random.default_rng(5)) for _ in range(2))
    assert [first() for _ in range(20)] == [second() for _ in range(20)]
