"""Glass blur: a slight blur, pixels displaced at random within a small neighbourhood, and the blur again.

The original visits the pixels from the lower right to the upper left and means to swap each with a random neighbour.
Its two pixels are however views of one array, so that the second assignment reads what the first has just written:
each pixel is overwritten by the neighbour and the neighbour stays. The published data sets were made so, and so is
this. It also never reaches the outermost pixels of the upper and left borders.

A pixel may copy a neighbour visited before it, which has already been overwritten. So each pixel points either to
the outcome of an earlier visit or to an original pixel, and following the pointers to their ends, twice as far in
each step, gives the outcome without visiting pixels one by one.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _filters, _levels, _severity

# Standard deviation of the blur in pixels, largest displacement in pixels, number of rounds.
SMALL = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
LARGE = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Blur and displace images (N, H, W, C) in [0, 1]; returns the same shape."""
    sigma, reach, rounds = _severity.pick(images, severity, SMALL, LARGE)
    count, height, width, channels = images.shape
    sources = displaced(count, height, width, reach, rounds, generator)
    blurred = _levels.to_floats(_levels.to_bytes(_filters.gaussian(images, sigma)))
    moved = np.take_along_axis(blurred.reshape(count, -1, channels), sources[..., None], axis=1)
    return _filters.gaussian(moved.reshape(images.shape), sigma)


def displaced(
    count: int, height: int, width: int, reach: int, rounds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return for each pixel of `count` images, (count, height * width), the pixel that ends there.

    Pixels are numbered row by row. Displacements are drawn in the order of the visits, from the last pixel to the
    first, from -reach to reach - 1 in each direction.
    """
    own = np.arange(height * width)
    sources = np.broadcast_to(own, (count, own.size))
    rows = np.arange(height - reach, reach, -1)
    columns = np.arange(width - reach, reach, -1)
    if not (rows.size and columns.size):
        return sources
    visited = (rows[:, None] * width + columns).ravel()
    for _ in range(rounds):
        shifts = generator.integers(-reach, reach, (count, visited.size, 2))
        chosen = np.broadcast_to(own, sources.shape).copy()
        chosen[:, visited] = visited + shifts[..., 1] * width + shifts[..., 0]
        sources = np.take_along_axis(sources, _origins(chosen, visited), axis=1)
    return sources


def _origins(chosen: NDArray[np.int64], visited: NDArray[np.int64]) -> NDArray[np.int64]:
    """Follow the copies of one round (count, pixels) to the pixels before the round.

    Numbers below the number of pixels mean pixels before the round, the others the outcomes of visits.
    """
    pixels = chosen.shape[1]
    own = np.arange(pixels)
    is_visited = np.zeros(pixels, bool)
    is_visited[visited] = True
    earlier = (chosen > own) & is_visited[chosen]
    pointers = np.where(earlier, chosen + pixels, chosen)
    while (pointers >= pixels).any():
        following = np.take_along_axis(pointers, pointers % pixels, axis=1)
        pointers = np.where(pointers >= pixels, following, pointers)
    return pointers
