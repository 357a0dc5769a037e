"""Choice between the constants for small and for large images."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

LONGEST_SMALL_SIDE = 64

Constant = TypeVar("Constant")


def is_small(images: NDArray[np.float32]) -> bool:
    """Tell whether the longer side of images (N, H, W, C) is at most 64 pixels."""
    longest: int = max(images.shape[1:3])
    return longest <= LONGEST_SMALL_SIDE


def pick(
    images: NDArray[np.float32],
    severity: int,
    small: tuple[Constant, ...],
    large: tuple[Constant, ...],
) -> Constant:
    """Return the constant of `severity` (1 to 5) for the size of images (N, H, W, C)."""
    return (small if is_small(images) else large)[severity - 1]
