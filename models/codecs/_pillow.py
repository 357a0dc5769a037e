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


def decode(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Decode one image of the given shape (H, W, C), uint8."""
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image, np.uint8).reshape(shape)
