"""One pass for several requests: each sample is normalised with the state that its own request brings.

Convolutions and all other weights are shared by every version, and treat each sample apart. What differs from request
to request are scale and shift of the normalisation layers: they are gathered from a bank of the versions at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.normalisation import AdaptableModel, BatchRenormalisation, Statistics
from models.renormalisation import batch_statistics


def can_mix(model: AdaptableModel) -> bool:
    """Tell whether every normalisation layer is of a kind whose scale and shift can be gathered sample by sample."""
    return all(
        isinstance(layer, BatchRenormalisation) or _channel_axis(layer) is not None for layer in model.places
    )


class Mixture:
    """Several requests to one model, whose samples follow one another.

    Attributes:
        sizes: samples of each request.
        statistics: which statistics batch normalisation uses, for each request its own.
        bank: the versions at hand, float32 (V, D), on the model's device: where statistics of batches play a part, one
            for each request, and where they are kept, what the pass has made of it.

    """

    def __init__(
        self,
        model: AdaptableModel,
        states: Sequence[NDArray[np.float32]],
        sizes: Sequence[int],
        statistics: Statistics,
    ) -> None:
        self.model = model
        self.sizes = sizes
        self.statistics = statistics
        rows: Sequence[int] = range(len(states))
        if statistics.used == statistics.kept == 0:  # requests that share a version share its row
            distinct = {id(state): state for state in states}
            row_of = {identity: row for row, identity in enumerate(distinct)}
            rows, states = [row_of[id(state)] for state in states], list(distinct.values())
        place = model.state.device
        self.bank = torch.from_numpy(np.stack(states)).to(place)
        self._row_of_sample = torch.from_numpy(np.repeat(rows, sizes)).to(place)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the model's forward passes normalise so, of all samples together."""
        neutral = torch.zeros_like(self.model.state)
        with ExitStack() as undo:
            for layer, pieces in self.model.places.items():
                if isinstance(layer, BatchRenormalisation):
                    layer.instead = partial(self._batch_normalise, layer, pieces)
                    undo.callback(setattr, layer, "instead", None)
                else:
                    neutral[pieces["weight"]] = 1
                    hook = layer.register_forward_hook(partial(self._scale_and_shift, pieces))
                    undo.callback(hook.remove)
            self.model.state.copy_(neutral)
            yield

    def _scale_and_shift(
        self, pieces: Mapping[str, slice], layer: nn.Module, inputs: tuple[Tensor, ...], y: Tensor
    ) -> Tensor:
        """Apply each sample's affine parameters to what a layer without any has normalised."""
        axis = _channel_axis(layer)
        assert axis is not None
        scaled = y * self._of_samples(self.bank[:, pieces["weight"]], y, axis)
        if "bias" in pieces:
            scaled += self._of_samples(self.bank[:, pieces["bias"]], y, axis)
        return scaled

    def _batch_normalise(self, layer: BatchRenormalisation, pieces: Mapping[str, slice], x: Tensor) -> Tensor:
        mean, var = self.bank[:, pieces["running_mean"]], self.bank[:, pieces["running_var"]]
        used, kept = self.statistics.used, self.statistics.kept
        if used or kept:
            batch_mean, batch_var = self._of_batches(x)
            if kept:
                batch_var = self._unbiased(x, batch_var, var)
            mean_before, var_before = mean, var
            mean, var = mean_before.lerp(batch_mean, used), var_before.lerp(batch_var, used)
            mean_before.lerp_(batch_mean, kept)
            var_before.lerp_(batch_var, kept)
        scale = self.bank[:, pieces["weight"]] * (var.clamp_min(0) + layer.epsilon).rsqrt()
        shift = self.bank[:, pieces["bias"]] - mean * scale
        return torch.addcmul(self._of_samples(shift, x, 1), x, self._of_samples(scale, x, 1))

    def _of_batches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and biased variance of each request's own samples, both (R, C)."""
        means, variances = [], []
        start = 0
        for size, alike in groupby(self.sizes):
            count = len(list(alike))
            stop = start + count * size
            mean, variance = _statistics_of_equal_parts(x[start:stop], count)
            means.append(mean)
            variances.append(variance)
            start = stop
        return torch.cat(means), torch.cat(variances)

    def _unbiased(self, x: Tensor, biased_var: Tensor, running_var: Tensor) -> Tensor:
        """Return unbiased variances (R, C); a single value says nothing of it: the running one stays."""
        values = torch.tensor(self.sizes, device=x.device, dtype=torch.float32)[:, None] * x[0, 0].numel()
        return torch.where(values == 1, running_var, biased_var * values / (values - 1).clamp_min(1))

    def _of_samples(self, bank: Tensor, x: Tensor, axis: int) -> Tensor:
        """Gather each sample's row of (V, C), shaped for the channels of x."""
        shape = [len(x), *[1] * (x.ndim - 1)]
        shape[axis] = bank.shape[1]
        return bank[self._row_of_sample].view(shape)


def _statistics_of_equal_parts(x: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of each of the equal parts that x (N, C, ...) consists of, both (parts, C)."""
    if parts == 1:
        mean, variance = batch_statistics(x)
        return mean[None], variance[None]
    channels = x.shape[1]
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    rows = values.movedim(1, -1).reshape(parts, -1, channels)
    mean = rows.mean(1)
    return mean, (rows - mean[:, None]).square_().mean(1)


def _channel_axis(layer: nn.Module) -> int | None:
    """Return the axis along which the layer's scale and shift lie, the last operations of its forward pass."""
    kinds: dict[type[nn.Module], int] = {nn.GroupNorm: 1, nn.LayerNorm: -1, **_kinds_of_libraries()}
    axis = kinds.get(type(layer))
    one_axis = not isinstance(layer, nn.LayerNorm) or len(layer.normalized_shape) == 1
    return axis if one_axis else None


def _kinds_of_libraries() -> dict[type[nn.Module], int]:
    from timm.layers.norm import GroupNorm, GroupNorm1, LayerNorm, LayerNorm2d  # noqa: PLC0415 - heavy
    from torchvision.models import convnext  # noqa: PLC0415

    return {
        LayerNorm: -1,
        LayerNorm2d: 1,
        GroupNorm: 1,
        GroupNorm1: 1,
        convnext.LayerNorm2d: 1,
    }
