"""Conversions between 8-bit levels and values in [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Added before the fraction is cut off, in levels: far above the rounding error of float32 (0.00003 of a level), so a
# value meant to be a whole level never falls to the level below, and far below anything visible.
TOLERANCE = 1e-3


def checked(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `images` if they are uint8 (N, H, W, 1 or 3) with H and W at least 1.

    Raises:
        ValueError: naming what was given and what is allowed.

    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        given = getattr(images, "dtype", type(images).__name__)
        raise ValueError(f"images must be a NumPy array of type uint8, not {given}")
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:3]:
        raise ValueError(f"images must have the shape (N, H, W, 1 or 3) with H, W >= 1, not {images.shape}")
    return images


def to_floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map the levels 0 to 255 to [0, 1]; any shape."""
    return images.astype(np.float32) / np.float32(255)


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [0, 1], scale to 255 and cut off the fraction, as the originals do; any shape."""
    scaled = np.clip(images, 0, 1) * np.float32(255) + np.float32(TOLERANCE)
    return scaled.astype(np.uint8)


def to_nearest_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [0, 1], scale to 255 and round to the nearest level; any shape."""
    scaled = np.clip(images, 0, 1) * np.float32(255) + np.float32(0.5)
    return scaled.astype(np.uint8)
