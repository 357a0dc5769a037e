"""Brightness: an amount is added to the value channel (of hue, saturation and value) and cut off at white.

With hue and saturation kept, this is the same as multiplying the pixel by the ratio of the new value, its largest
channel, to the old one. Black has no hue and turns grey, and the value of a grey pixel is the grey itself.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _severity

# Amount added, on the scale where white is 1.
SMALL = (0.05, 0.10, 0.15, 0.20, 0.30)
LARGE = (0.1, 0.2, 0.3, 0.4, 0.5)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Brighten images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    amount = np.float32(_severity.pick(images, severity, SMALL, LARGE))
    value = images.max(axis=3, keepdims=True)
    brighter = np.minimum(value + amount, np.float32(1))
    is_black = value == 0
    scaled = images * (brighter / np.where(is_black, np.float32(1), value))
    result: NDArray[np.float32] = np.where(is_black, brighter, scaled)
    return result
