"""Blurs of batches of images."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _borders

# Weights below this cannot change an 8-bit level.
NEGLIGIBLE = 1e-6


@functools.lru_cache(maxsize=64)
def gaussian_matrix(length: int, sigma: float, truncate: float, mirrored: bool) -> NDArray[np.float64]:
    """Return the (length, length) matrix of a Gaussian blur along one axis; read-only, rows sum to 1.

    Args:
        length: pixels along the axis.
        sigma: standard deviation in pixels; 0 gives the identity.
        truncate: the kernel ends at this many standard deviations, rounded to whole pixels.
        mirrored: mirror the image at its outer edges; otherwise repeat the end pixels.

    """
    radius = int(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2) if radius else np.ones(1)
    rows = np.arange(length)[:, None]
    border = _borders.mirror_edge if mirrored else _borders.clamp
    matrix = np.zeros((length, length))
    np.add.at(matrix, (rows, border(rows + offsets, length)), weights / weights.sum())
    matrix.setflags(write=False)
    return matrix


def gaussian(
    images: NDArray[np.float32], sigma: float, truncate: float = 4.0, mirrored: bool = False
) -> NDArray[np.float32]:
    """Blur images (N, H, W, C) with a Gaussian of `sigma` pixels; arguments as in `gaussian_matrix`.

    The sums run in float64, so that the order in which a linear algebra library adds does not show.
    """
    height, width = images.shape[1:3]
    down = gaussian_matrix(height, sigma, truncate, mirrored)
    across = gaussian_matrix(width, sigma, truncate, mirrored)
    planes = images.transpose(0, 3, 1, 2).astype(np.float64, order="C")
    return (down @ planes @ across.T).transpose(0, 2, 3, 1).astype(np.float32, order="C")


@functools.lru_cache(maxsize=32)
def disk(radius: float, softness: float) -> NDArray[np.float64]:
    """Return the kernel of a lens out of focus: a disk of `radius` pixels with a softened edge; read-only.

    The disk is drawn on a grid that reaches 8 pixels (or `radius`, if larger) to each side and is softened by a
    Gaussian of standard deviation `softness` on 3 x 3 pixels (5 x 5 for the larger ones), mirrored at the grid's
    border. Outer rows and columns of negligible weight are cut off. As in the original code, also in that the weights
    of a disk that touches the border (radius 8 or 10) sum to 1.01: mirroring there repeats the cells next to the edge.
    """
    reach = 8 if radius <= 8 else int(radius)
    offsets = np.arange(-reach, reach + 1)
    inside = (offsets[:, None] ** 2 + offsets[None] ** 2 <= radius**2).astype(np.float64)
    taps = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    weights = np.exp(-0.5 * (taps / softness) ** 2)
    matrix = np.zeros((offsets.size, offsets.size))
    rows = np.arange(offsets.size)[:, None]
    np.add.at(matrix, (rows, _borders.mirror(rows + taps, offsets.size)), weights / weights.sum())
    kernel: NDArray[np.float64] = matrix @ (inside / inside.sum()) @ matrix.T
    used = np.flatnonzero((kernel >= NEGLIGIBLE).any(axis=0))
    kernel = kernel[used[0] : used[-1] + 1, used[0] : used[-1] + 1]
    kernel.setflags(write=False)
    return kernel


def convolve(images: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Filter images (N, H, W, C) with an odd (K, K) kernel, mirroring at the centres of the end pixels.

    By the Fourier transform in float64, whose cost does not grow with the kernel.
    """
    height, width = images.shape[1:3]
    margin = kernel.shape[0] - 1
    rows = _borders.mirror(np.arange(-(margin // 2), height + margin // 2), height)
    columns = _borders.mirror(np.arange(-(margin // 2), width + margin // 2), width)
    padded = images.astype(np.float64)[:, rows][:, :, columns]
    size = (rows.size, columns.size)
    response = np.fft.rfft2(kernel, s=size)[..., None]
    filtered = np.fft.irfft2(np.fft.rfft2(padded, axes=(1, 2)) * response, s=size, axes=(1, 2))
    return filtered[:, margin:, margin:].astype(np.float32)


def motion(
    images: NDArray[np.float32], radius: float, sigma: float, angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Smear each image (N, H, W, C) along its own direction, rounded to 8-bit levels.

    The weights are one half of a Gaussian of `sigma` pixels over 2 * `radius` + 1 pixels, each read from the pixel
    nearest to the line at `angles` (N, in degrees), beyond the border from the end pixel: the motion blur of
    ImageMagick, which the original code calls.
    """
    count, height, width, channels = images.shape
    distances = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-0.5 * (distances / sigma) ** 2)
    weights /= weights.sum()
    radians = np.deg2rad(angles)[:, None]
    down = np.ceil(distances * np.sin(radians) - 0.5).astype(np.int64)
    across = np.ceil(distances * np.cos(radians) - 0.5).astype(np.int64)
    pixels = images.reshape(-1, channels)
    first_rows = np.arange(count)[:, None] * height
    total = np.zeros_like(images)
    for distance in distances[weights >= NEGLIGIBLE]:
        rows = first_rows + _borders.clamp(np.arange(height) + down[:, distance, None], height)
        columns = _borders.clamp(np.arange(width) + across[:, distance, None], width)
        positions = rows[:, :, None] * width + columns[:, None, :]
        total += pixels.take(positions, axis=0) * np.float32(weights[distance])
    return np.round(total * np.float32(255)).astype(np.float32) / np.float32(255)
