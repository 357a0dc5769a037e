"""From indices into a data set to what a camera sees: read, decoded and corrupted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models import corruptions
from models.datasets import DataSet

Condition = tuple[str, int]
"""A corruption's name, or `none`, and its severity."""


def render(
    data: DataSet, indices: NDArray[np.int64], conditions: Sequence[Condition], generator: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read images and corrupt each under its condition; images of one condition are corrupted together, in order.

    Args:
        data: where the images are.
        indices: int64 (n,).
        conditions: n of them.
        generator: the randomness of the corruptions.

    Returns:
        The images that can be read, uint8 (m, H, W, C), and which of the indices they are, bool (n,).

    """
    clean, present = data.read(indices)
    left = [condition for condition, there in zip(conditions, present, strict=True) if there]
    images = clean
    for condition in dict.fromkeys(left):
        name, severity = condition
        if name == "none":
            continue
        chosen = np.array([other == condition for other in left])
        if images is clean:
            images = clean.copy()
        images[chosen] = corruptions.corrupt(clean[chosen], name, severity, generator)
    return images, present
