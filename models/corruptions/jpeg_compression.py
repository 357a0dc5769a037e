"""JPEG compression: the image is encoded as a JPEG file of low quality and decoded again.

Source: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.corruptions import _levels, _severity

# Quality setting of the encoder.
SMALL = (80, 65, 58, 50, 40)
LARGE = (25, 18, 15, 10, 7)


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Compress images (N, H, W, C) in [0, 1]; returns the same shape. `generator` is not used."""
    quality = _severity.pick(images, severity, SMALL, LARGE)
    decoded = [compress(image, quality) for image in _levels.to_nearest_bytes(images)]
    return _levels.to_floats(np.stack(decoded))


def compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode and decode one image (H, W, C); one channel is stored as a grey file."""
    stored = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored)).reshape(image.shape)
