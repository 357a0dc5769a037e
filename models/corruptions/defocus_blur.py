"""Defocus blur: the image of a lens out of focus, a filter shaped like a soft disk.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _filters, _severity

# Radius of the disk and standard deviation that softens its edge, both in pixels.
SMALL = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
LARGE = ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Filter images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    radius, softness = _severity.pick(images, severity, SMALL, LARGE)
    return _filters.convolve(images, _filters.disk(radius, softness))
