"""Normalisation layers and their state: the part of a model that adapts and travels.

A model's normalisation state is one float32 vector: first the affine parameters of every normalisation layer, then
the running statistics of those that have them. A version of the model is such a vector; everything else in the
model never changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from models.arithmetic import EXACT, Arithmetic
from models.errors import InputError
from models.renormalisation import batch_statistics, renormalise


@dataclass(frozen=True)
class Statistics:
    """Which statistics a batch normalisation layer normalises with in a forward pass, and which it keeps.

    Attributes:
        used: share of the batch's own statistics in those it normalises with; the rest is the running ones'.
        kept: share of the batch's own in the running statistics afterwards.

    """

    RUNNING: ClassVar[Statistics]
    """The running statistics."""
    BATCH: ClassVar[Statistics]
    """The batch's own."""
    FIRST: ClassVar[Statistics]
    """The batch's own, which become the running ones; RUNNING from then on."""
    OBSERVED: ClassVar[Statistics]
    """The running statistics; the batch's own are left in their place, to be read."""

    used: float
    kept: float


Statistics.RUNNING = Statistics(0, 0)
Statistics.BATCH = Statistics(1, 0)
Statistics.FIRST = Statistics(1, 1)
Statistics.OBSERVED = Statistics(0, 1)


class BatchRenormalisation(nn.Module):
    """Batch normalisation corrected to running statistics ("test-time batch renormalisation").

    Training mode computes x_hat = (x - mu_B) / sigma_B * r + d with r = sigma_B / sigma_run and
    d = (mu_B - mu_run) / sigma_run, r and d detached, sigma = sqrt(var + eps) and var unbiased over (N, H, W): in value
    plain normalisation by the running statistics, with a gradient that flows through the batch's. The running
    statistics then follow the batch's with momentum 0.1. Under BATCH training mode is plain batch
    normalisation. Evaluation mode normalises as `statistics` says.
    Source: CEMA (https://arxiv.org/abs/2402.17316), after batch renormalisation (https://arxiv.org/abs/1702.03275).

    Attributes:
        weight, bias: affine parameters, float32 (C,).
        running_mean, running_var: float32 (C,).
        statistics: see Statistics; FIRST turns to RUNNING with the first forward pass, in either mode.
        momentum: share of the batch's statistics in the new running ones in training mode; 0 freezes them.
        instead: what normalises in this layer's place, float32 (N, C, ...) to the same; None but for a while.

    """

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, source: nn.BatchNorm2d | nn.BatchNorm1d) -> None:
        super().__init__()
        if source.running_mean is None or source.running_var is None:
            raise InputError("a batch normalisation layer without running statistics cannot be adapted")
        size = source.num_features
        affine = source.affine
        self.weight = nn.Parameter(source.weight.detach().clone() if affine else torch.ones(size))
        self.bias = nn.Parameter(source.bias.detach().clone() if affine else torch.zeros(size))
        self.register_buffer("running_mean", source.running_mean.detach().clone())
        self.register_buffer("running_var", source.running_var.detach().clone())
        self.epsilon = source.eps
        self.momentum = 0.1
        self.statistics = Statistics.RUNNING
        self.instead: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise float32 (N, C, ...)."""
        if self.instead is not None:
            return self.instead(x)
        if self.statistics == Statistics.BATCH:
            return self._by_the_batch_alone(x)
        if self.training:
            return self._train(x)
        used, kept = self.statistics.used, self.statistics.kept
        if used == kept == 0:
            return self._normalise(x, self.running_mean, self.running_var)
        batch_mean, batch_var = batch_statistics(x)
        if kept:
            batch_var = self._unbiased(x, batch_var)
        mean, var = self.running_mean, self.running_var
        y = self._normalise(x, mean.lerp(batch_mean, used), var.lerp(batch_var, used))
        self._follow(batch_mean, batch_var, kept)
        if self.statistics == Statistics.FIRST:
            self.statistics = Statistics.RUNNING
        return y

    def _train(self, x: Tensor) -> Tensor:
        mean, biased_var = batch_statistics(x)
        var = self._unbiased(x, biased_var)
        if self.statistics == Statistics.FIRST:
            self._follow(mean, var, 1)
            self.statistics = Statistics.RUNNING
        running = self.running_mean, self.running_var
        y = renormalise(x, self.weight, self.bias, running, (mean, biased_var), self.epsilon)
        self._follow(mean, var, self.momentum)
        return y

    def _by_the_batch_alone(self, x: Tensor) -> Tensor:
        if x.numel() == x.shape[1]:  # a value is its own mean: nothing but the bias is left
            shape = (1, -1, *[1] * (x.ndim - 2))
            return torch.zeros_like(x) * self.weight.view(shape) + self.bias.view(shape)
        return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.epsilon)

    def _unbiased(self, x: Tensor, biased_var: Tensor) -> Tensor:
        """Return the unbiased variance (C,); a single value says nothing of it: the running one stays."""
        values = x.numel() // x.shape[1]
        return self.running_var.clone() if values == 1 else biased_var * (values / (values - 1))

    @torch.no_grad()
    def _follow(self, batch_mean: Tensor, batch_var: Tensor, share: float) -> None:
        self.running_mean.lerp_(batch_mean, share)
        self.running_var.lerp_(batch_var, share)

    def _normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        var = var.clamp_min(0)  # a version that was sent with few bits may lie a little below
        return F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.epsilon)


def convert(network: nn.Module) -> nn.Module:
    """Replace every BatchNorm layer in `network`, in place, by a BatchRenormalisation of the same state.

    All other layers stay as they are. Raises InputError for a kind of BatchNorm that computes something else.
    """
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            setattr(network, name, _converted(child))
        else:
            convert(child)
    return network


def _converted(layer: _BatchNorm) -> nn.Module:
    """Return the layer's BatchRenormalisation, followed by the activation where timm has it in the layer."""
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        if type(layer).forward is _BatchNorm.forward:
            return BatchRenormalisation(layer)
        from timm.layers.norm_act import BatchNormAct2d  # noqa: PLC0415 - heavy

        if isinstance(layer, BatchNormAct2d) and type(layer).forward is BatchNormAct2d.forward:
            return nn.Sequential(
                OrderedDict(norm=BatchRenormalisation(layer), drop=layer.drop, act=layer.act)
            )
    raise InputError(
        f"a layer of type {type(layer).__name__} cannot be adapted; allowed: BatchNorm1d, BatchNorm2d and timm's "
        "BatchNormAct2d, LayerNorm and GroupNorm of any kind"
    )


@dataclass(frozen=True)
class Layout:
    """Where each piece of the normalisation state lies in its vector.

    Attributes:
        names: `<layer>.<weight | bias | running_mean | running_var>` of each piece.
        pieces: each piece's place.
        affine_size: length of the affine prefix.
        size: length of the whole vector, affine parameters and statistics.

    """

    names: tuple[str, ...]
    pieces: tuple[slice, ...]
    affine_size: int
    size: int

    @property
    def affine_pieces(self) -> tuple[slice, ...]:
        """The pieces of the affine prefix."""
        return tuple(piece for piece in self.pieces if piece.stop <= self.affine_size)


class AdaptableModel:
    """A network whose normalisation state is one vector that can be read, loaded and trained.

    The layers' parameters and statistics are views of `state`, so that loading a version is one copy. All other
    parameters are frozen.

    Attributes:
        network: the network itself, converted by `convert`, on `device`, channels last.
        state: float32 (layout.size,), on `device`; shared with the layers.
        layout: what lies where in `state`.
        places: of every normalisation layer, where each of its parameters and statistics lies.
        arithmetic: how passes are computed.

    """

    def __init__(self, network: nn.Module, device: torch.device, arithmetic: Arithmetic = EXACT) -> None:
        self.arithmetic = arithmetic
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self.network = convert(network).to(device)
        self.network.to(memory_format=torch.channels_last)
        self.network.requires_grad_(False).eval()
        affine, statistics = list(self._affine()), list(self._statistics())
        if not affine:
            raise InputError("the model has no normalisation layer with affine parameters to adapt")
        names, pieces, start = [], [], 0
        for layer_name, _, key, tensor in (*affine, *statistics):
            names.append(f"{layer_name}.{key}")
            pieces.append(slice(start, start + tensor.numel()))
            start += tensor.numel()
        self.layout = Layout(tuple(names), tuple(pieces), pieces[len(affine) - 1].stop, start)
        self.state = torch.cat([tensor.detach().flatten() for *_, tensor in (*affine, *statistics)])
        places: dict[nn.Module, dict[str, slice]] = {}
        for (_, layer, key, tensor), piece in zip((*affine, *statistics), pieces, strict=True):
            # Views that autograd tracks apart: else a layer that writes its statistics spoils another's saved weights.
            view = self.state[piece].view_as(tensor).data
            setattr(layer, key, nn.Parameter(view) if isinstance(tensor, nn.Parameter) else view)
            places.setdefault(layer, {})[key] = piece
        self.places: Mapping[nn.Module, Mapping[str, slice]] = places
        self.parameters = [getattr(layer, key) for _, layer, key, _ in affine]
        self._batch_normalising = [layer for layer in places if isinstance(layer, BatchRenormalisation)]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a model of its own normalisation state, with optimisers copied along tied to it.

        All that is frozen is shared with this one. A plain deep copy would leave its parameters no views of `state`.
        """
        own = {id(getattr(layer, key)) for layer, keys in self.places.items() for key in keys}
        for tensor in (*self.network.parameters(), *self.network.buffers()):
            if id(tensor) not in own:
                memo[id(tensor)] = tensor
        memo[id(self.layout)] = self.layout
        memo[id(self._compiled)] = None  # it computes with this model's state
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        for name, value in vars(self).items():
            setattr(copied, name, deepcopy(value, memo))
        for layer, places in copied.places.items():
            for key, piece in places.items():
                tensor = getattr(layer, key)
                tensor.data = copied.state[piece].view_as(tensor).data
        return copied

    def _affine(self) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
        for name, layer in self.network.named_modules():
            if isinstance(layer, BatchRenormalisation | nn.LayerNorm | nn.GroupNorm):
                for key in ("weight", "bias"):
                    if isinstance(tensor := getattr(layer, key, None), Tensor):
                        yield name, layer, key, tensor

    def _statistics(self) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
        for name, layer in self.network.named_modules():
            if isinstance(layer, BatchRenormalisation):
                for key in ("running_mean", "running_var"):
                    yield name, layer, key, getattr(layer, key)

    def read(self) -> NDArray[np.float32]:
        """Return a copy of the state, float32 (layout.size,)."""
        return self.state.detach().cpu().numpy().copy()

    def load(self, state: NDArray[np.float32]) -> None:
        """Write a state vector; one of length layout.affine_size leaves the statistics as they are."""
        with torch.no_grad():
            self.state[: len(state)].copy_(torch.from_numpy(state))

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits, float32 (N, C), of the network's input, float32 (N, c, H, W), in its present mode."""
        network = self._compiled_network() if self.arithmetic.compiled and self._is_plain() else self.network
        with self.arithmetic.active(self.state.device):
            return network(x).float()

    def _compiled_network(self) -> Callable[[Tensor], Tensor]:
        if self._compiled is None:
            self._compiled = torch.compile(self.network, dynamic=True)
        return self._compiled

    def _is_plain(self) -> bool:
        """Tell whether the network computes what it is compiled for: evaluation by running statistics, unobserved."""
        return (
            not self.network.training
            and all(
                layer.statistics == Statistics.RUNNING and layer.instead is None
                for layer in self._batch_normalising
            )
            and not any(
                module._forward_hooks or module._forward_pre_hooks for module in self.network.modules()
            )
        )

    @property
    def classifier(self) -> nn.Linear:
        """The last linear layer, which turns features into logits; raises InputError where there is none."""
        layers = [layer for layer in self.network.modules() if isinstance(layer, nn.Linear)]
        if not layers:
            raise InputError("the model ends in no linear layer, whose input could serve as features")
        return layers[-1]

    @contextmanager
    def features(self) -> Iterator[list[Tensor]]:
        """Collect the input of the classifier, (N, D), of every forward pass made inside."""
        collected: list[Tensor] = []
        hook = self.classifier.register_forward_pre_hook(lambda _, inputs: collected.append(inputs[0]))
        try:
            yield collected
        finally:
            hook.remove()

    def use(self, statistics: Statistics, momentum: float = 0.1) -> None:
        """Choose which statistics the next forward passes use."""
        for layer in self._batch_normalising:
            layer.statistics = statistics
            layer.momentum = momentum
