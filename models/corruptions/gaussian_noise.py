"""Gaussian noise: an independent normal value added to each channel of each pixel.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _severity

# Standard deviation, on the scale where white is 1.
SMALL = (0.04, 0.06, 0.08, 0.09, 0.10)
LARGE = (0.08, 0.12, 0.18, 0.26, 0.38)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Add the noise to images (N, H, W, C) in [0, 1]; returns the same shape, not clipped."""
    deviation = np.float32(_severity.pick(images, severity, SMALL, LARGE))
    return images + deviation * generator.standard_normal(images.shape, dtype=np.float32)
