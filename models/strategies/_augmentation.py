"""Random changes of a batch under which a prediction should stay: colour, geometry, blur and noise.

They are those of CoTTA (https://arxiv.org/abs/2203.13591): but for the noise, one draw changes all images of a batch
alike.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from models.images import Preparation

BRIGHTNESS = (0.6, 1.4)
CONTRAST = (0.7, 1.3)
SATURATION = (0.5, 1.5)
HUE = (-0.06, 0.06)
GAMMA = (0.7, 1.3)
ROTATION_DEGREES = (-15.0, 15.0)
TRANSLATION = 1 / 16
"""Of the image padded to twice its size."""
SCALE = (0.9, 1.1)
BLUR_PIXELS = (0.001, 0.5)
NOISE = 0.005
"""Standard deviation of the noise on pixel values in [0, 1]."""


class Augmentation:
    """Augments the input of a network, with a random stream of its own.

    Attributes:
        preparation: how pixel values were normalised.
        generator: makes all draws, on the CPU, so that they are the same on every device.

    """

    def __init__(self, preparation: Preparation, generator: np.random.Generator) -> None:
        self.preparation = preparation
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        """Return a changed copy of a network's input, float32 (N, C, H, W), one channel or three."""
        mean, std = (
            torch.tensor(values, device=x.device).view(1, -1, 1, 1)
            for values in (self.preparation.mean, self.preparation.std)
        )
        pixels = (x * std + mean).clamp(0, 1)
        pixels = self._add_noise(self._flip(self._move_and_blur(self._change_colours(pixels))))
        return (pixels.clamp(0, 1) - mean) / std

    def _change_colours(self, pixels: Tensor) -> Tensor:
        """Change brightness, contrast, saturation, hue and gamma, in random order; grey has no saturation and hue."""
        changes = (
            (functional.adjust_brightness, BRIGHTNESS),
            (functional.adjust_contrast, CONTRAST),
            (functional.adjust_saturation, SATURATION),
            (functional.adjust_hue, HUE),
            (functional.adjust_gamma, GAMMA),
        )
        for index in self.generator.permutation(len(changes)):
            change, limits = changes[index]
            pixels = change(pixels, self.generator.uniform(*limits))
        return pixels

    def _move_and_blur(self, pixels: Tensor) -> Tensor:
        """Rotate, shift by whole pixels, scale and blur, where the image's edge goes on beyond it."""
        height, width = pixels.shape[-2:]
        padded = functional.pad(pixels, [width // 2, height // 2], padding_mode="edge")
        angle = self.generator.uniform(*ROTATION_DEGREES)
        shift = [
            round(self.generator.uniform(-TRANSLATION, TRANSLATION) * side) for side in padded.shape[:-3:-1]
        ]
        moved = functional.affine(
            padded, angle, shift, self.generator.uniform(*SCALE), [0.0, 0.0], InterpolationMode.BILINEAR
        )
        blurred = functional.gaussian_blur(moved, [5, 5], [self.generator.uniform(*BLUR_PIXELS)])
        cropped: Tensor = functional.center_crop(blurred, [height, width])
        return cropped

    def _flip(self, pixels: Tensor) -> Tensor:
        return pixels.flip(3) if self.generator.random() < 0.5 else pixels

    def _add_noise(self, pixels: Tensor) -> Tensor:
        noise = self.generator.standard_normal(tuple(pixels.shape), dtype=np.float32)
        return pixels + NOISE * torch.from_numpy(noise).to(pixels.device)
