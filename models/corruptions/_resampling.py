"""Resizing, zooming and warping of batches of images."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Coordinates = NDArray[np.floating]
Border = Callable[[NDArray[np.int64], int], NDArray[np.int64]]
Positions = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


@functools.lru_cache(maxsize=256)
def _zoom_positions(length: int, factor: float) -> Positions:
    """Return, for each zoomed pixel of an axis, the two source pixels and the weight of the second."""
    cropped = math.ceil(length / factor)
    first = (length - cropped) // 2
    zoomed = round(cropped * factor)
    trimmed = (zoomed - length) // 2
    scale = (cropped - 1) / (zoomed - 1) if zoomed > 1 else 0.0
    positions = (np.arange(length) + trimmed) * scale
    lower = np.floor(positions).astype(np.int64)
    upper = np.minimum(lower + 1, cropped - 1)
    return first + lower, first + upper, (positions - lower).astype(np.float32)


def zoom(images: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Magnify the middle of images (N, H, W, C) by `factor` >= 1 with linear interpolation.

    As the original code on each axis: the middle ceil(length / factor) pixels are stretched, end pixel to end pixel,
    to round(ceil(length / factor) * factor) pixels, of which the middle ones are kept. (At a few sizes the original's
    last row and column come out black, by a rounding error in its library; here they do not.)
    """
    height, width = images.shape[1:3]
    top, bottom, weight = _zoom_positions(height, factor)
    rows = images[:, top]
    rows += (images[:, bottom] - rows) * weight[:, None, None]
    left, right, weight = _zoom_positions(width, factor)
    columns = rows[:, :, left]
    columns += (rows[:, :, right] - columns) * weight[:, None]
    return columns


def sample(
    images: NDArray[np.float32], rows: Coordinates, columns: Coordinates, border: Border
) -> NDArray[np.float32]:
    """Read images (N, H, W, C) at the positions (N, H', W') in pixels, with bilinear interpolation.

    Returns float32 (N, H', W', C). `border` maps positions outside (see `_borders`).
    """
    count, height, width, channels = images.shape
    pixels = images.reshape(-1, channels)
    top, left = np.floor(rows), np.floor(columns)
    down = (rows - top).astype(np.float32)[..., None]
    across = (columns - left).astype(np.float32)[..., None]
    above = top.astype(np.int64)
    before = left.astype(np.int64)
    first = np.arange(count)[:, None, None] * height
    starts = [(first + border(above + step, height)) * width for step in (0, 1)]
    ends = [border(before + step, width) for step in (0, 1)]
    lines: list[NDArray[np.float32]] = []
    for start in starts:
        line = pixels.take(start + ends[0], axis=0)
        line += (pixels.take(start + ends[1], axis=0) - line) * across
        lines.append(line)
    lines[0] += (lines[1] - lines[0]) * down
    return lines[0]


@functools.lru_cache(maxsize=256)
def box_matrix(source: int, target: int) -> NDArray[np.float64]:
    """Return the (target, source) matrix that resizes an axis by averaging over boxes; read-only, rows sum to 1.

    A source pixel counts fully if its centre lies in the box of the target pixel (to the left edge exclusive), else
    not at all, as with Pillow's BOX filter.
    """
    scale = source / target
    stretch = max(scale, 1.0)
    centres = (np.arange(target)[:, None] + 0.5) * scale
    places = np.arange(source)
    # In the library's order of operations: rounding decides about centres that lie on an edge.
    distance = (places - centres + 0.5) * (1 / stretch)
    first = np.floor(centres - 0.5 * stretch + 0.5)
    last = np.floor(centres + 0.5 * stretch + 0.5)
    reached = (places >= first) & (places < last)
    matrix: NDArray[np.float64] = (reached & (distance > -0.5) & (distance <= 0.5)).astype(np.float64)
    matrix /= matrix.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def box_resize(levels: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Resize whole 8-bit levels (N, C, H, W) to (N, C, height, width) by averaging over boxes.

    First along the width, then along the height, rounded to whole levels after each.
    """
    across = np.floor(levels @ box_matrix(levels.shape[3], width).T + 0.5)
    return np.floor(box_matrix(levels.shape[2], height) @ across + 0.5)
