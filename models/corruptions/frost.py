"""Frost: a texture of ice crystals is laid over the dimmed image.

The originals blend in crops of six photographs of frosted windows, of which their code uses five. Photographs are
not part of this package, so each image gets its own synthetic texture: the plane is divided among randomly placed
crystals (Voronoi cells), each grows needles to both sides of a stem of random direction, like fern frost, and
cloud-like noise bends the needles and, with some grain, varies their brightness. The texture is then given the mean
colour and the contrast of one of the five photographs, at random, so that the blend shifts brightness and contrast
as the originals do. For small images the originals shrink the photographs to a fifth; here the crystals shrink as
much.

Source of the blend: Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261 (constants of its public code).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.corruptions import _colour, _plasma, _severity

# Weight of the image and weight of the frost.
SMALL = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
LARGE = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))

# Mean red, green and blue of the five photographs, and the standard deviations of their grey: between the crops and
# within one. Measured on crops of 224 pixels, on the scale where white is 1.
PHOTOGRAPHS = (
    (0.306, 0.582, 0.646, 0.037, 0.063),
    (0.775, 0.792, 0.828, 0.022, 0.079),
    (0.773, 0.790, 0.825, 0.021, 0.079),
    (0.566, 0.625, 0.675, 0.025, 0.103),
    (0.394, 0.438, 0.485, 0.046, 0.140),
)
# Pixels of a photograph per pixel of the texture.
SMALL_SCALE = 5.0
# In pixels of a photograph: mean distance between crystals, distance between needles, and how far noise bends them.
CRYSTAL = 55.0
NEEDLE = 4.5
BEND = 14.0
# Weights of the clouds and of the grain beside the needles.
CLOUDS = 1.5
GRAIN = 0.13
MOST_CRYSTALS = 48
# Brightnesses drawn for the needles of an image, and the distance in this row between two bunches of needles.
STREAKS = 1009
BUNCH = 211
# Slope of the needles against the stem: they leave it at 60 degrees, as ice crystals do.
SLANT = float(np.tan(np.pi / 6))


def apply(images: NDArray[np.float32], severity: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Frost images (N, H, W, C) in [0, 1]; returns the same shape, not clipped."""
    kept, added = _severity.pick(images, severity, SMALL, LARGE)
    scale = SMALL_SCALE if _severity.is_small(images) else 1.0
    count, height, width, channels = images.shape
    ice = texture(count, height, width, scale, generator)
    if channels == 1:
        ice = _colour.grey(ice)
    return np.float32(kept) * images + np.float32(added) * ice


def texture(
    count: int, height: int, width: int, scale: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Draw textures (count, height, width, 3) in [0, 1], `scale` photograph pixels to the pixel."""
    clouds = [_plasma.plasma(count, height, width, decay, generator) for decay in (1.6, 1.6, 1.5)]
    pattern = needles(clouds[0], clouds[1], scale, generator) + np.float32(CLOUDS) * clouds[2]
    pattern += np.float32(GRAIN) * generator.standard_normal(pattern.shape, dtype=np.float32)
    pattern -= pattern.mean(axis=(1, 2), keepdims=True)
    pattern /= pattern.std(axis=(1, 2), keepdims=True) + np.float32(1e-6)
    chosen = np.array(PHOTOGRAPHS, np.float32)[generator.integers(len(PHOTOGRAPHS), size=count), None, None]
    shift = chosen[..., 3] * generator.standard_normal((count, 1, 1), dtype=np.float32)
    light = shift + chosen[..., 4] * pattern
    return np.clip(chosen[..., :3] + light[..., None], 0, 1)


def needles(
    bend_down: NDArray[np.float32],
    bend_across: NDArray[np.float32],
    scale: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Draw the brightness (N, H, W), from 0 to 2, of needles bent by two maps (N, H, W) in [0, 1]."""
    count, height, width = bend_down.shape
    area = height * width * scale**2
    crystals = int(np.clip(round(area / CRYSTAL**2), 4, MOST_CRYSTALS))
    spread = np.sqrt(area / crystals)
    places = generator.random((count, crystals, 2), dtype=np.float32)
    angles = generator.random((count, crystals), dtype=np.float32) * np.float32(np.pi)
    rows = np.arange(height, dtype=np.float32)[:, None] * np.float32(scale) + np.float32(BEND) * bend_down
    columns = np.arange(width, dtype=np.float32) * np.float32(scale) + np.float32(BEND) * bend_across
    nearest, down, across = _nearest(
        rows, columns, places * np.array([height * scale, width * scale], np.float32)
    )
    angle = np.take_along_axis(angles, nearest.reshape(count, -1), axis=1).reshape(nearest.shape)
    sine, cosine = np.sin(angle), np.cos(angle)
    along = across * cosine + down * sine
    aside = np.abs(down * cosine - across * sine)
    phase = (along - np.float32(SLANT) * aside) / np.float32(NEEDLE)
    side = (down * cosine > across * sine).astype(np.int64)
    streaks = _streaks(phase, 2 * nearest + side, generator)
    stem = np.exp(-aside / np.float32(NEEDLE / 2))
    tip = np.exp(-np.hypot(along, aside) / np.float32(spread))
    brightness: NDArray[np.float32] = streaks * (np.float32(0.3) + tip) + stem * tip
    return brightness


def _streaks(
    phase: NDArray[np.float32], bunch: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return the brightness (N, H, W), from 0 to 2, of needles one unit of `phase` apart and of finer ones.

    Each needle has its own brightness; needles of the same `bunch` share a row of them.
    """
    values = generator.random((len(phase), STREAKS), dtype=np.float32)
    total = np.zeros_like(phase)
    for frequency in (1.0, 2.7):
        position = phase * np.float32(frequency)
        lower = np.floor(position)
        first = (lower.astype(np.int64) + bunch * BUNCH) % STREAKS
        one, other = (
            np.take_along_axis(values, ((first + step) % STREAKS).reshape(len(phase), -1), axis=1)
            for step in (0, 1)
        )
        start = one.reshape(phase.shape)
        total += start + (other.reshape(phase.shape) - start) * (position - lower)
    return total


def _nearest(
    rows: NDArray[np.float32], columns: NDArray[np.float32], places: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Find the crystal (of `places`, (N, K, 2)) nearest to each point (N, H, W), and the way from it."""
    nearest = np.zeros(rows.shape, np.int64)
    least = np.full(rows.shape, np.inf, np.float32)
    for crystal in range(places.shape[1]):
        down = rows - places[:, crystal, 0, None, None]
        across = columns - places[:, crystal, 1, None, None]
        distance = down * down + across * across
        closer = distance < least
        nearest[closer] = crystal
        np.minimum(least, distance, out=least)
    chosen = np.take_along_axis(places, nearest.reshape(len(places), -1, 1), axis=1).reshape(*rows.shape, 2)
    return nearest, rows - chosen[..., 0], columns - chosen[..., 1]
