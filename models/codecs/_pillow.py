"""Encoding and decoding through Pillow."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode(image: NDArray[np.uint8], container: str, **options: Any) -> bytes:
    """Encode one image, uint8 (H, W, C) with C = 1 or 3."""
    buffer = BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, container, **options)
    return buffer.getvalue()


def decode(content: bytes, channels: int) -> NDArray[np.uint8]:
    """Decode one image of so many channels, uint8 (H, W, C)."""
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image, np.uint8).reshape(image.height, image.width, channels)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return one image, uint8 (H, W, C) with C = 1 or 3, at another size: bicubic, antialiased where it shrinks."""
    resized = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return np.asarray(resized, np.uint8).reshape(height, width, image.shape[2])
