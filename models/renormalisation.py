"""Batch renormalisation in training, at the speed of batch normalisation's native kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def batch_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of each channel of float (N, C, ...), both (C,), without a gradient.

    They are float32 at least, also of numbers that are less precise.
    """
    values = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    mean, variance = torch.batch_norm_update_stats(values, None, None, 0.0)
    return mean, variance


def renormalise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    running: tuple[Tensor, Tensor],
    batch: tuple[Tensor, Tensor],
    epsilon: float,
) -> Tensor:
    """Normalise by running statistics, with the gradient of normalising by the batch's corrected by constant r and d.

    x_hat = (x - mu_B) / sigma_B * r + d with r = sigma_B / sigma_run and d = (mu_B - mu_run) / sigma_run is, in value,
    (x - mu_run) / sigma_run: the kernel of evaluation mode. With r and d held constant its gradient is that of batch
    normalisation whose affine parameters are weight * r and bias + weight * d: the kernel of training mode.
    sigma_B is the biased deviation here. The published form takes the unbiased one, and differs in that share of the
    gradient alone that flows through sigma_B: by the factor (v + eps (n - 1) / n) / (v + eps) for n values of biased
    variance v.
    Source: CEMA (https://arxiv.org/abs/2402.17316), after batch renormalisation (https://arxiv.org/abs/1702.03275).

    Args:
        x: float32 (N, C, ...).
        weight: float32 (C,).
        bias: float32 (C,).
        running: mean and variance to normalise by, each (C,).
        batch: mean and biased variance of x, each (C,).
        epsilon: added to variances.

    """
    y: Tensor = _Renormalise.apply(x, weight, bias, *running, *batch, epsilon)
    return y


class _Renormalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        batch_mean: Tensor,
        batch_var: Tensor,
        epsilon: float,
    ) -> Tensor:
        inverse_running = (running_var + epsilon).rsqrt()
        inverse_batch = (batch_var + epsilon).rsqrt()
        r = inverse_running / inverse_batch
        d = (batch_mean - running_mean) * inverse_running
        ctx.save_for_backward(x, weight * r, batch_mean, inverse_batch, r, d)
        ctx.epsilon = epsilon
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, 0.0, epsilon)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, corrected_weight, batch_mean, inverse_batch, r, d = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], True, True]
        of_x, of_corrected_weight, of_corrected_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, corrected_weight, None, None, batch_mean, inverse_batch, True, ctx.epsilon, wanted
        )
        of_weight = of_corrected_weight * r + of_corrected_bias * d
        return of_x, of_weight, of_corrected_bias, None, None, None, None, None
