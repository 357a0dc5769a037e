import math
from itertools import islice, pairwise

import numpy as np

GIVEN = {"model": "markov", "good_mbps": 8.0, "bad_mbps": 0.5, "mean_good_s": 3.0, "mean_bad_s": 1.0}


def pieces(settings, count, seed=0):
    return list(islice(settings.pieces(lambda: np.random.default_rng(seed)), count))


def test_it_alternates(bandwidth):
    found = pieces(bandwidth(**GIVEN), 100)
    assert found[0][0] == 0
    assert all({before, after} == {8_000_000, 500_000} for (_, before), (_, after) in pairwise(found))


def test_stays_are_exponential_with_the_means_given(bandwidth):
    found = pieces(bandwidth(**GIVEN), 8001)
    stays = {8_000_000: [], 500_000: []}
    for (start, rate), (end, _) in pairwise(found):
        stays[rate].append((end - start) / 1e9)
    for rate, mean in ((8_000_000, 3.0), (500_000, 1.0)):
        lengths = np.array(stays[rate])
        error = 4 / math.sqrt(len(lengths))
        assert abs(lengths.mean() - mean) < error * mean
        assert abs((lengths > mean).mean() - math.exp(-1)) < error * 0.5


def test_the_first_state_has_its_share_of_the_time(bandwidth):
    settings = bandwidth(**GIVEN)
    good = [pieces(settings, 1, seed) == [(0, 8_000_000)] for seed in range(2000)]
    assert abs(np.mean(good) - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 2000)
