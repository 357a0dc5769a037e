"""The fifteen common corruptions of ImageNet-C and CIFAR-10-C, batched and seeded.

Each corruption is one file of this folder, found by its file name, so a new file is a new corruption; files whose
name begins with an underscore are shared helpers. A corruption file holds

* `SMALL` and `LARGE`: the published constants of severities 1 to 5, for images whose longer side is up to 64 pixels
  (those of CIFAR-10-C) and for larger ones (those of ImageNet-C);
* `apply(images, severity, generator)`: from float32 (N, H, W, C) in [0, 1] to the same shape and type; values
  outside [0, 1] are clipped here.

Source: D. Hendrycks and T. Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations, https://arxiv.org/abs/1903.12261, with the constants of its public code,
https://github.com/hendrycks/robustness (`make_cifar_c.py` and `corruptions.py` of `imagenet_c`).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEVERITIES = (1, 2, 3, 4, 5)


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of the corruptions in alphabetical order, without importing any of them."""
    return tuple(sorted(entry.name for entry in pkgutil.iter_modules(__path__) if entry.name[0] != "_"))


def corrupt(
    images: NDArray[np.uint8], name: str, severity: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Corrupt a batch of images, each with its own randomness.

    Args:
        images: uint8 (N, H, W, C) with C = 1 (grey) or 3 (red, green, blue); left unchanged.
        name: one of `names()`. Clean images are the caller's business: "clean" is not a corruption.
        severity: from 1 (mild) to 5 (strong).
        generator: the only source of randomness; the same state gives the same bytes.

    Returns:
        The corrupted images, uint8 (N, H, W, C): clipped to [0, 1], times 255, fraction cut off (as the originals).

    Raises:
        ValueError: on an unknown name, a severity outside 1 to 5, or images of another type or shape.

    """
    if name not in names():
        raise ValueError(f"unknown corruption {name!r}; the known ones are {', '.join(names())}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity!r} is not one of 1, 2, 3, 4, 5")
    levels = importlib.import_module(f"{__name__}._levels")
    pixels = levels.checked(images)
    if pixels.size == 0:
        return levels.to_bytes(levels.to_floats(pixels))  # type: ignore[no-any-return]
    corruption = importlib.import_module(f"{__name__}.{name}")
    return levels.to_bytes(corruption.apply(levels.to_floats(pixels), severity, generator))  # type: ignore[no-any-return]
