"""Weighted quantiles, and 95% confidence intervals by a cluster bootstrap over devices (or, elsewhere, seeds).

The interval across devices answers: had the fleet been made of other devices like these, how far might the number have
moved? Whole devices are resampled, because the batches of one device depend on each other (one stream, one
link), and they are drawn from the fleet as a whole, so that a fleet of unlike groups has a wide interval.
It speaks of **one seed**: the models, the training and the order of events are those of this run, and how
another seed would have turned out remains unknown. For that, run several seeds (`analysis.seeds`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

RESAMPLES = 2_000
LEVEL = 0.95
SEED = 20_240_229  # of the bootstrap alone; any fixed number would do
UNITS_TO_RESOLVE = {"devices": 6, "seeds": 5}
"""With fewer, no sign is told: n of them agree on one by chance in 2 * 0.5**n of all cases, five in 6.25%.

Six devices keep that below 1 - LEVEL. Seeds are dear, so five have to do.
"""

_CELLS_AT_A_TIME = 1_000_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% confidence interval; NaN where it cannot be told (fewer than two units).

    Attributes:
        estimate, low, high: in the unit of what was estimated.
        units: how many devices or seeds stand behind it.
        across: what was resampled.

    """

    estimate: float
    low: float
    high: float
    units: int
    across: Literal["devices", "seeds"] = "devices"

    @property
    def resolved(self) -> bool:
        """Whether the sign can be told: the interval leaves out zero, and enough units stand behind it."""
        return self.units >= UNITS_TO_RESOLVE[self.across] and (self.low > 0 or self.high < 0)


NOTHING = Interval(np.nan, np.nan, np.nan, 0)


def ratio_interval(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Interval:
    """Estimate sum(numerators) / sum(denominators) with its percentile bootstrap interval over devices.

    Both have shape (devices,), for instance correct and predicted samples of each device. Devices with a zero
    denominator saw nothing and do not count. The same numbers in any order give the same result.
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    order = np.lexsort((top, bottom))
    order = order[bottom[order] > 0]
    top, bottom = top[order], bottom[order]
    devices = len(bottom)
    if devices == 0:
        return NOTHING
    estimate = float(top.sum() / bottom.sum())
    if devices == 1:
        return Interval(estimate, np.nan, np.nan, 1)
    low, high = np.quantile(_resampled_ratios(top, bottom), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high), devices)


def _resampled_ratios(top: Floats, bottom: Floats) -> Floats:
    """Draw as many devices as there are, with replacement, RESAMPLES times; shape (RESAMPLES,)."""
    devices = len(bottom)
    random = np.random.default_rng(SEED)
    rows = max(1, _CELLS_AT_A_TIME // devices)
    ratios = np.empty(RESAMPLES)
    for first in range(0, RESAMPLES, rows):
        last = min(first + rows, RESAMPLES)
        times_drawn = random.multinomial(devices, np.full(devices, 1 / devices), size=last - first)
        ratios[first:last] = (times_drawn @ top) / (times_drawn @ bottom)
    return ratios


def weighted_quantiles(values: npt.ArrayLike, weights: npt.ArrayLike, levels: list[float]) -> list[float]:
    """Give, for each level, the smallest value that at least that share of the weight does not exceed.

    Equals the quantiles (inverted distribution function) of each value repeated `weight` times. Shapes (n,);
    NaN values are left out; NaN where no weight is left.
    """
    kept_values, kept_weights = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    kept = ~np.isnan(kept_values) & (kept_weights > 0)
    if not kept.any():
        return [float("nan")] * len(levels)
    found = np.quantile(kept_values[kept], levels, weights=kept_weights[kept], method="inverted_cdf")
    return [float(value) for value in found]
