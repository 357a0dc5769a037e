"""Cloud-like height maps by the diamond-square algorithm, for a whole batch at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIRST_WIBBLE = 100.0


def plasma(
    count: int, height: int, width: int, decay: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Draw `count` independent height maps (count, height, width) in [0, 1].

    A map on a torus whose side is the power of two at or above the longer side is refined from one point by halving
    the step: each new point is the mean of its four neighbours plus uniform noise within the square of the wibble,
    which starts at 100 and is divided by `decay` at each halving (larger: smoother). The whole map is then scaled to
    [0, 1] and its upper left corner is returned. As the plasma fractal of the original code.
    """
    side = max(2, 1 << (max(height, width) - 1).bit_length())
    maps = np.zeros((count, side, side), np.float32)
    wibble = FIRST_WIBBLE
    step = side
    while step >= 2:
        _refine(maps, step, wibble**2, generator)
        step //= 2
        wibble /= decay
    maps -= maps.min(axis=(1, 2), keepdims=True)
    maps /= maps.max(axis=(1, 2), keepdims=True)
    return maps[:, :height, :width]


def _refine(maps: NDArray[np.float32], step: int, amplitude: float, generator: np.random.Generator) -> None:
    """Fill the points halfway between those `step` apart: first the centres of squares, then those of edges."""
    half = step // 2
    corners = maps[:, ::step, ::step]
    pairs = corners + np.roll(corners, -1, axis=1)
    centres = _mean_with_noise(pairs + np.roll(pairs, -1, axis=2), amplitude, generator)
    maps[:, half::step, half::step] = centres
    beside = centres + np.roll(centres, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
    maps[:, ::step, half::step] = _mean_with_noise(beside, amplitude, generator)
    above = centres + np.roll(centres, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
    maps[:, half::step, ::step] = _mean_with_noise(above, amplitude, generator)


def _mean_with_noise(
    sums: NDArray[np.float32], amplitude: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Divide sums of four neighbours by four and add uniform noise in [-amplitude, amplitude)."""
    noise = generator.random(sums.shape, dtype=np.float32) * np.float32(2) - np.float32(1)
    return sums * np.float32(0.25) + noise * np.float32(amplitude)
