"""Positions outside an image, mapped to positions inside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mirror(positions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Mirror integer positions at the centres of the end pixels (c b | a b c | b a), any number of times."""
    if length == 1:
        return np.zeros_like(positions)
    period = 2 * (length - 1)
    folded = np.mod(positions, period)
    mirrored: NDArray[np.int64] = np.minimum(folded, period - folded)
    return mirrored


def mirror_edge(positions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Mirror integer positions at the outer edges of the end pixels (b a | a b c | c b), any number of times."""
    folded = np.mod(positions, 2 * length)
    mirrored: NDArray[np.int64] = np.minimum(folded, 2 * length - 1 - folded)
    return mirrored


def clamp(positions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Replace integer positions outside by the nearest end pixel (a a | a b c | c c)."""
    return np.clip(positions, 0, length - 1)
