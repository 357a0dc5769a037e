"""From stored pixels to a network's input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Interpolation = Literal["bicubic", "bilinear", "nearest"]


@dataclass(frozen=True)
class Preparation:
    """What a network expects of its input.

    Attributes:
        mean, std: per channel, of pixel values in [0, 1].
        resize: what images are resized to before the crop: their shorter side, or (height, width), in pixels; None
            resizes them straight to the crop's size.
        crop: side of the square at the centre that the network sees, in pixels; None takes images as they are.
        interpolation: how images are resized, always with antialiasing.

    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int | tuple[int, int] | None = None
    crop: int | None = None
    interpolation: Interpolation = "bicubic"

    def for_data(self, cropped: bool) -> Preparation:
        """Return the preparation of images that are `cropped` already, which loses no more of them, or are not."""
        return replace(self, resize=None) if cropped else self

    def shape_of(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the shape (H, W, C) of the network's input for images of shape (H, W, C)."""
        height, width, channels = image_shape
        return (height, width, channels) if self.crop is None else (self.crop, self.crop, channels)


def prepare(images: NDArray[np.uint8], preparation: Preparation, device: torch.device) -> Tensor:
    """Turn uint8 (N, H, W, C) into a network's input, float32 (N, C, h, w), channels last."""
    pixels = torch.tensor(images, device=device).permute(0, 3, 1, 2)
    x = _resize_and_crop(pixels, preparation).float().div_(255)
    x.sub_(_of_channels(preparation.mean, device)).div_(_of_channels(preparation.std, device))
    return x.contiguous(memory_format=torch.channels_last)


@lru_cache
def _of_channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return a value for each channel, float32 (1, C, 1, 1)."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


def _resize_and_crop(pixels: Tensor, preparation: Preparation) -> Tensor:
    """Resize uint8 (N, C, H, W), rounding to whole values as image libraries do, and cut out the centre."""
    if preparation.crop is None:
        return pixels
    from torchvision.transforms import InterpolationMode  # noqa: PLC0415 - heavy, and not always needed
    from torchvision.transforms.v2 import functional  # noqa: PLC0415

    mode = {
        "bicubic": InterpolationMode.BICUBIC,
        "bilinear": InterpolationMode.BILINEAR,
        "nearest": InterpolationMode.NEAREST_EXACT,  # the pixel below each centre, as Pillow chooses
    }[preparation.interpolation]
    crop = [preparation.crop, preparation.crop]
    match preparation.resize:
        case None:
            size = crop
        case int(shorter_side):
            size = [shorter_side]
        case exact:
            size = list(exact)
    resized: Tensor = functional.resize(pixels, size, mode, antialias=True)
    cropped: Tensor = functional.center_crop(resized, crop)
    return cropped
