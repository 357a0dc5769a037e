"""How images are prepared for a timm network."""

from __future__ import annotations

import math

from timm.data.config import resolve_model_data_config
from torch import nn

from models.errors import InputError
from models.images import Preparation


def preparation_of(network: nn.Module, model: str) -> Preparation:
    """Return timm's evaluation transform of a network; InputError where `model`'s is none that is known here.

    The size is that of training, as published; some of timm's weights score higher when tested at a larger one.
    """
    config = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    _, height, width = config["input_size"]
    mode, interpolation = config["crop_mode"], config["interpolation"]
    if height != width or mode not in ("center", "squash") or interpolation not in ("bicubic", "bilinear"):
        raise InputError(
            f"{model}: expects {height} x {width} pixels, cropped by {mode!r} and resized by "
            f"{interpolation!r}; allowed: a square, 'center' or 'squash', 'bicubic' or 'bilinear'"
        )
    resize = math.floor(height / config["crop_pct"])
    mean, std = (tuple(float(value) for value in config[key]) for key in ("mean", "std"))
    return Preparation(mean, std, (resize, resize) if mode == "squash" else resize, height, interpolation)
