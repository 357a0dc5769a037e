"""Zoom blur: the mean of the image and of its magnifications, as when a camera rushes towards its object.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _resampling, _severity

# Magnifications from 1 up to, as a rule without, the first number in steps of the second. Rounding in floating point
# decides whether the last one is included, so the list is built by `numpy.arange`, as in the original.
SMALL = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
LARGE = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Blur images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    stop, step = _severity.pick(images, severity, SMALL, LARGE)
    factors = np.arange(1, stop, step)
    total = images.copy()
    for factor in factors:
        total += _resampling.zoom(images, float(factor))
    return total / np.float32(len(factors) + 1)
