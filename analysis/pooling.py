"""Means over the points and seeds of a study, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.intervals import NOTHING, Interval, ratio_interval
from analysis.runs import Point
from analysis.seeds import seed_interval

Sums = Mapping[tuple[Point, int], pd.DataFrame]
"""By point and seed: one row per device, the numerator in the first column and the samples in the second."""


def pooled(sums: Sums, points: Sequence[Point]) -> tuple[Interval, int]:
    """Estimate the mean over points of sum(numerator) / sum(samples), with its 95% interval and its seeds.

    Only seeds that have every point count, so that each mean is over the same worlds. With several seeds the
    interval is across seeds (`analysis.seeds`); with one it is across that seed's devices
    (`analysis.intervals`): a device is resampled with all its points, each point weighing the same.
    """
    filled = {key: frame for key, frame in sums.items() if frame.iloc[:, 1].sum() > 0}
    seeds = seeds_with_all(filled, points)
    if not seeds:
        return NOTHING, 0
    if len(seeds) == 1:
        weighted = [frame / frame.iloc[:, 1].sum() for frame in (filled[point, seeds[0]] for point in points)]
        devices = pd.concat(weighted).groupby(level=0).sum()
        return ratio_interval(devices.iloc[:, 0], devices.iloc[:, 1]), 1
    return seed_interval(means_by_seed(filled, points)), len(seeds)


def means_by_seed(sums: Sums, points: Sequence[Point]) -> list[float]:
    """Give, for each seed that has every point, the mean over points of sum(numerator) / sum(samples)."""
    return [
        float(np.mean([_ratio(sums[point, seed]) for point in points]))
        for seed in seeds_with_all(sums, points)
    ]


def pooled_values(values: Mapping[tuple[Point, int], float], points: Sequence[Point]) -> Interval:
    """Estimate the mean over points of a plain number; one seed has no interval. NaN values do not count."""
    present = {key: value for key, value in values.items() if not np.isnan(value)}
    seeds = seeds_with_all(present, points)
    return seed_interval([np.mean([present[point, seed] for point in points]) for seed in seeds])


def seeds_with_all(entries: Mapping[tuple[Point, int], object], points: Sequence[Point]) -> list[int]:
    """List the seeds, ascending, that have an entry at every point."""
    seeds = sorted({seed for _point, seed in entries})
    return [seed for seed in seeds if all((point, seed) in entries for point in points)]


def _ratio(frame: pd.DataFrame) -> float:
    return float(frame.iloc[:, 0].sum() / frame.iloc[:, 1].sum())
