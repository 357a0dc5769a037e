"""Shot noise: each channel of each pixel becomes a Poisson count, as in a camera short of light.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _severity

# Expected count of a white pixel.
SMALL = (500, 250, 100, 75, 50)
LARGE = (60, 25, 12, 5, 3)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Redraw images (N, H, W, C) in [0, 1]; returns the same shape, not clipped."""
    photons = _severity.pick(images, severity, SMALL, LARGE)
    counts = generator.poisson(images * np.float32(photons))
    return counts.astype(np.float32) / np.float32(photons)
