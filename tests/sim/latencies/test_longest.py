from __future__ import annotations

import numpy as np

from sim.latencies._longest import Longest


def test_the_longest_of_independent_draws_is_drawn(latency):
    """Of 1 or 5, of 2 or 4 and of always 3: a quarter each of 3, 4 and two quarters of 5."""
    ones = latency(distribution="empirical", values_ms=[1.0, 5.0])
    twos = latency(distribution="empirical", values_ms=[2.0, 4.0])
    longest = Longest((ones, twos), 3.0)
    assert longest.least_ms == 3.0
    assert Longest((ones, twos), 0.0).least_ms == 2.0
    draw = longest.sampler(np.random.default_rng(0))
    draws = [draw() * 1000 for _ in range(4000)]
    shares = {value: draws.count(value) / 4000 for value in set(draws)}
    assert set(shares) == {3.0, 4.0, 5.0}
    for value, share in ((3.0, 0.25), (4.0, 0.25), (5.0, 0.5)):
        assert abs(shares[value] - share) < 4 * 0.5 / 4000**0.5
