"""Impulse noise: some channels of some pixels become black or white, half of them each.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _severity

# Share of the values that change.
SMALL = (0.01, 0.02, 0.03, 0.05, 0.07)
LARGE = (0.03, 0.06, 0.09, 0.17, 0.27)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Replace values of images (N, H, W, C) in [0, 1]; returns the same shape."""
    amount = _severity.pick(images, severity, SMALL, LARGE)
    changed = generator.random(images.shape, dtype=np.float32) < amount
    white = generator.random(images.shape, dtype=np.float32) < 0.5
    return np.where(changed, white.astype(np.float32), images)
