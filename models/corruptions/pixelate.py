"""Pixelate: the image is shrunk and enlarged again, both by averaging over boxes.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _levels, _resampling, _severity

# Side of the shrunk image as a share of the side of the image.
SMALL = (0.95, 0.9, 0.85, 0.75, 0.65)
LARGE = (0.6, 0.5, 0.4, 0.3, 0.25)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Pixelate images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    share = _severity.pick(images, severity, SMALL, LARGE)
    height, width = images.shape[1:3]
    levels = _levels.to_nearest_bytes(images).transpose(0, 3, 1, 2).astype(np.float64)
    shrunk = _resampling.box_resize(levels, max(1, int(height * share)), max(1, int(width * share)))
    enlarged = _resampling.box_resize(shrunk, height, width)
    return _levels.to_floats(enlarged.transpose(0, 2, 3, 1).astype(np.uint8))
