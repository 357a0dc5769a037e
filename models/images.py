"""From stored pixels to a network's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Preparation:
    """What a network expects of its input.

    Attributes:
        mean, std: per channel, of pixel values in [0, 1].

    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def prepare(images: NDArray[np.uint8], preparation: Preparation, device: torch.device) -> Tensor:
    """Turn uint8 (N, H, W, C) into a network's input, float32 (N, C, h, w), channels last."""
    x = torch.tensor(images, device=device).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, -1, 1, 1)
    x.sub_(torch.tensor(preparation.mean, device=device).view(shape))
    x.div_(torch.tensor(preparation.std, device=device).view(shape))
    return x.contiguous(memory_format=torch.channels_last)
