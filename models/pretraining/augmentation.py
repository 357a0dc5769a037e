"""Training augmentations, batched and seeded.

`light` is the usual flip and crop. `strong` aims at robustness under shifts that are not known in advance, so it
uses none of the fifteen corruptions that the laboratory evaluates on: random geometry, posterising, solarising and
tone reversal (corruption-free operations in the spirit of AugMix, https://arxiv.org/abs/1912.02781), random
convolutions (https://arxiv.org/abs/2007.13003), mixing with random textures (after PixMix,
https://arxiv.org/abs/2112.05135, with spectral textures for fractals) and erasing
(https://arxiv.org/abs/1708.04896), blended into the clean image.
All functions take and return float images (N, C, H, W) in [0, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def uniform(generator: torch.Generator, size: tuple[int, ...], low: float, high: float) -> Tensor:
    """Draw float32 values in [low, high)."""
    return torch.rand(size, generator=generator) * (high - low) + low


def flip_and_crop(images: Tensor, generator: torch.Generator, margin: int = 2) -> Tensor:
    """Mirror half of the images and move each by up to `margin` pixels, filling with zeros."""
    count, _, height, width = images.shape
    padded = F.pad(images, (margin,) * 4)
    rows = torch.randint(0, 2 * margin + 1, (count, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 2 * margin + 1, (count, 1), generator=generator) + torch.arange(width)
    mirrored = torch.rand((count, 1), generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    index = torch.arange(count)[:, None, None]
    # Advanced indices around the channel slice put the channels last.
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def geometry(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate (25 degrees), shear (0.25), scale (0.8 to 1.2) and shift (10%) each image at random."""
    count = len(images)
    angle = uniform(generator, (count,), -25, 25) * math.pi / 180
    shear = uniform(generator, (count,), -0.25, 0.25)
    scale = uniform(generator, (count,), 0.8, 1.2)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    shift = uniform(generator, (count, 2), -0.2, 0.2)
    theta = torch.stack(
        [torch.stack([cos, shear - sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def tone(images: Tensor, generator: torch.Generator) -> Tensor:
    """Posterise each image to 2 to 5 bits, solarise half of them and reverse the tones of a quarter."""
    count = len(images)
    levels = 2.0 ** torch.randint(2, 6, (count, 1, 1, 1), generator=generator)
    posterised = (images * levels).floor().clamp(max=levels - 1) / (levels - 1)
    threshold = uniform(generator, (count, 1, 1, 1), 0.5, 1.5)
    solarised = torch.where(posterised > threshold, 1 - posterised, posterised)
    reversed_tones = torch.rand((count, 1, 1, 1), generator=generator) < 0.25
    return torch.where(reversed_tones, 1 - solarised, solarised)


def random_convolution(images: Tensor, generator: torch.Generator) -> Tensor:
    """Filter each image with its own random 3x3 kernel, the same one for all its channels."""
    count, channels, height, width = images.shape
    kernels = torch.randn((count, 1, 3, 3), generator=generator) / 3
    kernels[:, :, 1, 1] += 0.5
    stacked = images.transpose(0, 1).reshape(channels, count, height, width)
    return F.conv2d(stacked, kernels, padding=1, groups=count).transpose(0, 1).abs().clamp(max=1)


def texture(images: Tensor, generator: torch.Generator) -> Tensor:
    """Add or multiply a random texture, whose amplitude falls with spatial frequency as f^-a, a in [0.75, 2.5)."""
    count, _, height, width = images.shape
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1 / max(height, width)
    exponent = uniform(generator, (count, 1, 1, 1), 0.75, 2.5)
    spectrum = torch.fft.rfft2(torch.randn((count, 1, height, width), generator=generator))
    field = torch.fft.irfft2(spectrum * frequency**-exponent, s=(height, width))
    low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
    field = (field - low) / (high - low)
    strength = uniform(generator, (count, 1, 1, 1), 0.1, 0.6)
    added = images + strength * (2 * field - 1)
    multiplied = images * (1 - strength + 2 * strength * field)
    return torch.where(torch.rand((count, 1, 1, 1), generator=generator) < 0.6, added, multiplied).clamp(0, 1)


def erase(images: Tensor, generator: torch.Generator) -> Tensor:
    """Replace one random rectangle of each image (up to 40% of each side) by one random grey."""
    count, _, height, width = images.shape
    tall = (uniform(generator, (count, 1), 0.1, 0.4) * height).round()
    wide = (uniform(generator, (count, 1), 0.1, 0.4) * width).round()
    top = uniform(generator, (count, 1), 0, 1) * (height - tall)
    left = uniform(generator, (count, 1), 0, 1) * (width - wide)
    rows = torch.arange(height)[None]
    columns = torch.arange(width)[None]
    inside = ((rows >= top) & (rows < top + tall))[:, None, :, None] & (
        (columns >= left) & (columns < left + wide)
    )[:, None, None, :]
    return torch.where(inside, uniform(generator, (count, 1, 1, 1), 0, 1), images)


OPERATIONS = (geometry, tone, random_convolution, texture, erase)


def light(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip and crop."""
    return flip_and_crop(images, generator)


def strong(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip and crop; then apply each operation to a random third of the images and blend with the clean ones.

    The weight of the operated image is uniform in [0.3, 1).
    """
    clean = flip_and_crop(images, generator)
    mixed = clean.clone()
    for operation in OPERATIONS:
        chosen = torch.nonzero(torch.rand(len(images), generator=generator) < 1 / 3)[:, 0]
        mixed[chosen] = operation(mixed[chosen], generator)
    weight = uniform(generator, (len(images), 1, 1, 1), 0.3, 1.0)
    return torch.lerp(clean, mixed, weight)
