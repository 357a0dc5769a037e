"""Motion blur: each image smeared along a line at a random angle of -45 to 45 degrees.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _filters, _severity

# Radius of the filter and standard deviation of its weights, both in pixels.
SMALL = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
LARGE = ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Smear images (N, H, W, C) in [0, 1]; returns the same shape, rounded to 8-bit levels."""
    radius, sigma = _severity.pick(images, severity, SMALL, LARGE)
    return _filters.motion(images, radius, sigma, generator.uniform(-45, 45, len(images)))
