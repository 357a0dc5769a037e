"""Brightness of colour and grey images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Weights of red, green and blue in the luma of ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)


def grey(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the luma (N, H, W, 1) of images (N, H, W, 3); one-channel images are their own luma."""
    if images.shape[3] == 1:
        return images
    red, green, blue = (images[..., channel : channel + 1] for channel in range(3))
    luma: NDArray[np.float32] = (
        red * np.float32(LUMA[0]) + green * np.float32(LUMA[1]) + blue * np.float32(LUMA[2])
    )
    return luma
