"""Floating-point operations of forward passes and training steps, as counted by PyTorch.

The counter covers convolutions and matrix products (two operations for a multiplication and an addition);
normalisation and activations, a few per cent of a residual network, are not counted.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.normalisation import AdaptableModel


def forward_flops(model: AdaptableModel, image_shape: tuple[int, int, int]) -> int:
    """Return the operations of a forward pass for one image of shape (H, W, C)."""
    return _count(model, image_shape, backward=False)


def training_flops(model: AdaptableModel, image_shape: tuple[int, int, int]) -> int:
    """Return the operations, for one image, of a forward and backward pass that trains the affine parameters."""
    return _count(model, image_shape, backward=True)


_counted: dict[tuple[object, ...], int] = {}
"""What was counted in this process: a run loads the same network several times."""


def _count(model: AdaptableModel, image_shape: tuple[int, int, int], backward: bool) -> int:
    modules = tuple(type(module) for module in model.network.modules())
    sizes = tuple(tensor.shape for tensor in model.network.state_dict().values())
    key = (modules, repr(model.network), sizes, image_shape, backward)
    if key not in _counted:
        _counted[key] = _count_anew(model, image_shape, backward)
    return _counted[key]


def _count_anew(model: AdaptableModel, image_shape: tuple[int, int, int], backward: bool) -> int:
    height, width, channels = image_shape
    batch = 2  # a batch of one has no statistics in layers whose image is one pixel
    network = deepcopy(model.network).train(backward)
    # A gradient keeps PyTorch off its fused attention, which the counter does not know.
    shape = (batch, channels, height, width)
    x = torch.zeros(shape, device=model.state.device, requires_grad=not backward)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        logits = network(x)
        if backward:
            logits.sum().backward()
    return int(counter.get_total_flops()) // batch
