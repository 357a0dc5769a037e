"""Elastic transform: each image is sheared, stretched and turned at random, then its pixels move along a smooth field.

The affine map takes three points around the centre to points moved at random; the field is uniform noise, blurred.
The published constants are shares of the image side, so they scale with the shorter side here. For ImageNet-C the
source takes a side of 244 for images of 224 pixels, a slip that its author left in; it is kept, so that images of
224 pixels get the published numbers.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _borders, _filters, _resampling, _severity

# Strength of the field, standard deviation of its blur and largest move of the three points, as shares of the side.
SMALL = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
LARGE = ((2.0, 0.7, 0.1), (2.0, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
LARGE_SCALE = 244 / 224
# The blur of the field ends at this many standard deviations.
TRUNCATE = 3.0


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Warp images (N, H, W, C) in [0, 1]; returns the same shape."""
    strength, smoothness, move = _severity.pick(images, severity, SMALL, LARGE)
    side = min(images.shape[1:3]) * (1.0 if _severity.is_small(images) else LARGE_SCALE)
    warped = _resampling.sample(images, *affine_positions(images, move * side, generator), _borders.mirror)
    if strength == 0:
        return warped
    rows, columns = np.indices(images.shape[1:3])
    noise = generator.uniform(-1, 1, (*images.shape[:3], 2)).astype(np.float32)
    field = _filters.gaussian(noise, smoothness * side, TRUNCATE, mirrored=True) * np.float32(strength * side)
    return _resampling.sample(warped, rows + field[..., 1], columns + field[..., 0], _borders.mirror_edge)


def affine_positions(
    images: NDArray[np.float32], move: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw one affine map per image and return the rows and columns (N, H, W) that its pixels are read from.

    The map takes three corners of a square around the centre, whose half side is a third of the shorter side of the
    image, to the same points moved by up to `move` pixels in each direction.
    """
    count, height, width, _ = images.shape
    # As in the original, the first coordinate is the column of the point but is centred on the middle row.
    first, second, half = height // 2, width // 2, min(height, width) // 3
    corners = np.array(
        [[first + half, second + half], [first + half, second - half], [first - half, second - half]]
    )
    moved = corners + generator.uniform(-move, move, (count, 3, 2))
    back = np.linalg.solve(
        np.concatenate([moved, np.ones((count, 3, 1))], axis=2), corners[None].astype(np.float64)
    )
    rows, columns = np.indices((height, width))
    across, down, constant = back[:, :, None, None, :].transpose(1, 0, 2, 3, 4)
    positions = columns[..., None] * across + rows[..., None] * down + constant
    return positions[..., 1], positions[..., 0]
