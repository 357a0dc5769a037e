"""Fog: a cloud-like height map is added, then the image is dimmed so that its brightest value would stay in range.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _plasma, _severity

# Strength of the fog, on the scale where white is 1, and smoothness of the map (see `_plasma.plasma`).
SMALL = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))
LARGE = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Add fog to images (N, H, W, C) in [0, 1]; returns the same shape, not clipped."""
    strength, decay = _severity.pick(images, severity, SMALL, LARGE)
    count, height, width, _ = images.shape
    clouds = _plasma.plasma(count, height, width, decay, generator)[..., None]
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    dimming = brightest / (brightest + np.float32(strength))
    foggy: NDArray[np.float32] = (images + np.float32(strength) * clouds) * dimming
    return foggy
