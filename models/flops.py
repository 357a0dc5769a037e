"""Floating-point operations of forward passes and training steps, as counted by PyTorch.

The counter covers convolutions and matrix products (two operations for a multiplication and an addition);
normalisation and activations, a few per cent of a residual network, are not counted.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from copy import deepcopy

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from models.normalisation import AdaptableModel

Known = MutableMapping[tuple[tuple[int, int, int], bool], int]
"""What was counted of a model by the shape of an image, without and with its gradient."""


def forward_flops(
    model: AdaptableModel, image_shape: tuple[int, int, int], known: Known | None = None
) -> int:
    """Return the operations of a forward pass for one image of shape (H, W, C); `known` spares counting them again."""
    return _count(model, image_shape, False, {} if known is None else known)


def training_flops(
    model: AdaptableModel, image_shape: tuple[int, int, int], known: Known | None = None
) -> int:
    """Return the operations, for one image, of a forward and backward pass that trains the affine parameters."""
    return _count(model, image_shape, True, {} if known is None else known)


def _count(model: AdaptableModel, image_shape: tuple[int, int, int], backward: bool, known: Known) -> int:
    if (image_shape, backward) not in known:
        known[image_shape, backward] = _count_anew(model, image_shape, backward)
    return known[image_shape, backward]


def _count_anew(model: AdaptableModel, image_shape: tuple[int, int, int], backward: bool) -> int:
    height, width, channels = image_shape
    batch = 2  # a batch of one has no statistics in layers whose image is one pixel
    network = deepcopy(model.network).train(backward)
    # The counter does not know every fused kernel: a gradient keeps PyTorch off that of whole transformer layers, and
    # attention is taken out of matrix products.
    shape = (batch, channels, height, width)
    x = torch.zeros(shape, device=model.state.device, requires_grad=not backward)
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
        torch.enable_grad(),
    ):
        logits = network(x)
        if backward:
            logits.sum().backward()
    return int(counter.get_total_flops()) // batch
