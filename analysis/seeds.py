"""95% confidence intervals over the seeds of a study: the expanded percentile bootstrap.

The interval answers: had the whole experiment been repeated with other seeds, how far might its mean have moved?
The percentile bootstrap is too narrow for the few seeds one can afford; the expanded percentile interval reads
the bootstrap distribution at levels further out, so that for normal data it is about as wide as Student's
interval (Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3,
https://doi.org/10.1080/00031305.2015.1089789).

No bootstrap reaches beyond the smallest and the largest value: for normal data the intervals of 2, 3, 4, 5, 6 and
8 seeds cover the truth in 51, 76, 87, 92, 94 and 94 of 100 cases. Below five seeds no sign is told from them
(`analysis.intervals.UNITS_TO_RESOLVE`).
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations_with_replacement
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from analysis.intervals import LEVEL, NOTHING, SEED, Floats, Interval

RESAMPLES = 10_000
SEEDS_TO_ENUMERATE = 8
"""Up to here every resample is enumerated (6 435 for eight seeds) instead of drawn."""


def seed_interval(values: npt.ArrayLike) -> Interval:
    """Estimate the mean over seeds with its expanded percentile interval; `values` has shape (seeds,).

    Values that are NaN do not count. The same values in any order give the same result; one value has no
    interval.
    """
    present = np.asarray(values, dtype=np.float64)
    present = present[~np.isnan(present)]
    if not len(present):
        return NOTHING
    low, high = seed_bands(present[:, None])
    return Interval(float(present.mean()), float(low[0]), float(high[0]), len(present), "seeds")


def seed_bands(values: Floats) -> tuple[Floats, Floats]:
    """Give the ends of the expanded percentile intervals of many means at once.

    `values` has shape (seeds, quantities) and no NaN; both ends have shape (quantities,), and are NaN for one
    seed.
    """
    seeds, quantities = values.shape
    if seeds < 2:
        return np.full(quantities, np.nan), np.full(quantities, np.nan)
    weights, odds = _resamples(seeds)
    means = weights @ np.sort(values, axis=0)
    level = expanded_level(seeds)
    low, high = np.quantile(
        means,
        [level, 1 - level],
        axis=0,
        weights=np.broadcast_to(odds[:, None], means.shape),
        method="inverted_cdf",
    )
    return low, high


def expanded_level(seeds: int) -> float:
    """Give the lower level at which the bootstrap distribution of a mean of n >= 2 values is read.

    Phi(-sqrt(n / (n - 1)) * t), where t is the quantile (1 + LEVEL) / 2 of Student's distribution with n - 1
    degrees of freedom and Phi the normal distribution function (Hesterberg 2015).
    """
    reach = math.sqrt(seeds / (seeds - 1)) * student_quantile((1 + LEVEL) / 2, seeds - 1)
    return 0.5 * math.erfc(reach / math.sqrt(2))


@cache
def _resamples(seeds: int) -> tuple[Floats, Floats]:
    """Give the share of each seed in each resample, shape (resamples, seeds), and the resamples' odds."""
    if seeds > SEEDS_TO_ENUMERATE:
        drawn = np.random.default_rng(SEED).multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES)
        return drawn / seeds, np.ones(RESAMPLES)
    choices = combinations_with_replacement(range(seeds), seeds)
    times_drawn = np.array([np.bincount(choice, minlength=seeds) for choice in choices])
    orders = [
        math.factorial(seeds) / math.prod(math.factorial(times) for times in row) for row in times_drawn
    ]
    return times_drawn / seeds, np.array(orders)


def student_quantile(level: float, degrees: int) -> float:
    """Give the quantile of Student's distribution with whole degrees of freedom, for 0.5 < level < 1.

    The distribution function is inverted by bisection to the last digit.
    """
    low, high = 0.0, NormalDist().inv_cdf(level)
    while _student_central(high, degrees) < 2 * level - 1:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if _student_central(middle, degrees) < 2 * level - 1:
            low = middle
        else:
            high = middle
    return high


def _student_central(t: float, degrees: int) -> float:
    """Give the probability of |T| < t (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for step in range(1 + odd, degrees, 2):
        total += term
        term *= math.cos(angle) ** 2 * step / (step + 1)
    central = math.sin(angle) * total
    return (angle + central) * 2 / math.pi if odd else central
