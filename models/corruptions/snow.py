"""Snow: the image is whitened, and flakes driven by the wind are added, once as drawn and once turned by 180 degrees.

The flakes are normal noise, magnified, cut off below a threshold and smeared along a steep random line. In a grey
image the grey itself is the brightness that the whitening starts from.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _colour, _filters, _levels, _resampling, _severity

# Mean and standard deviation of the noise, its magnification, the threshold, radius and standard deviation of the
# smear in pixels, share of the image that is not whitened.
SMALL = (
    (0.10, 0.2, 1.00, 0.60, 8, 3.0, 0.95),
    (0.10, 0.2, 1.00, 0.50, 10, 4.0, 0.90),
    (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.90),
    (0.25, 0.3, 2.25, 0.60, 12, 6.0, 0.85),
    (0.30, 0.3, 1.25, 0.65, 14, 12.0, 0.80),
)
LARGE = (
    (0.10, 0.3, 3.00, 0.50, 10, 4.0, 0.80),
    (0.20, 0.3, 2.00, 0.50, 12, 4.0, 0.70),
    (0.55, 0.3, 4.00, 0.90, 12, 8.0, 0.70),
    (0.55, 0.3, 4.50, 0.85, 12, 8.0, 0.65),
    (0.55, 0.3, 2.50, 0.85, 12, 12.0, 0.55),
)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Add snow to images (N, H, W, C) in [0, 1]; returns the same shape, not clipped."""
    mean, deviation, factor, threshold, radius, sigma, kept = _severity.pick(images, severity, SMALL, LARGE)
    noise = generator.standard_normal((*images.shape[:3], 1), dtype=np.float32)
    flakes = _resampling.zoom(noise * np.float32(deviation) + np.float32(mean), factor)
    flakes = np.where(flakes < np.float32(threshold), np.float32(0), flakes)
    flakes = _levels.to_floats(_levels.to_bytes(flakes))
    driven = _filters.motion(flakes, radius, sigma, generator.uniform(-135, -45, len(images)))
    whitened = np.maximum(images, _colour.grey(images) * np.float32(1.5) + np.float32(0.5))
    mixed: NDArray[np.float32] = np.float32(kept) * images + np.float32(1 - kept) * whitened
    mixed += driven + driven[:, ::-1, ::-1]
    return mixed
