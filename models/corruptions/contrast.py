"""Contrast: the distance of each channel from its mean over the image shrinks.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _severity

# Factor on the distance from the mean.
SMALL = (0.75, 0.5, 0.4, 0.3, 0.15)
LARGE = (0.4, 0.3, 0.2, 0.1, 0.05)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Flatten images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    factor = np.float32(_severity.pick(images, severity, SMALL, LARGE))
    means = images.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    flattened: NDArray[np.float32] = (images - means) * factor + means
    return flattened
