"""From stored pixels to a network's input."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def prepare(
    images: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> Tensor:
    """Normalise uint8 (N, H, W, C) to float32 (N, C, H, W), channels last, by the mean and deviation of [0, 1]."""
    x = torch.tensor(images, device=device).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, -1, 1, 1)
    x.sub_(torch.tensor(mean, device=device).view(shape)).div_(torch.tensor(std, device=device).view(shape))
    return x.contiguous(memory_format=torch.channels_last)
