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

from typing import TYPE_CHECKING

from scenarios import catalogue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEVERITIES = (1, 2, 3, 4, 5)


def names() -> tuple[str, ...]:
    """Return the names of the corruptions in alphabetical order, without importing any of them."""
    return catalogue.names(__name__)


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
    from models.corruptions import _levels  # noqa: PLC0415 - listing the names needs no NumPy

    pixels = _levels.checked(images)
    floats = _levels.to_floats(pixels)
    if pixels.size:
        floats = catalogue.module(__name__, name).apply(floats, severity, generator)
    return _levels.to_bytes(floats)
