"""CEMA as published, written down plainly: one loop, no fleet, no clock, no link.

It follows the released code's settings (`preset: reference`): a static threshold, redundancy, three loss terms, and a
step on replayed samples alone where an edge batch completes no cloud batch. Samples are tensors in Python lists, a
step stacks them, and every update deep-copies the student to the device.
Source: CEMA (https://arxiv.org/abs/2402.17316).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.normalisation import AdaptableModel, Statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.images import Preparation

ENTROPY_WEIGHT, KL_WEIGHT, CROSS_ENTROPY_WEIGHT = 3.0, 3.0, 1.0
EDGE_RATE, FOUNDATION_RATE, MOMENTUM = 0.0025, 0.00025, 0.9


class NaiveRenormalisation(nn.Module):
    """Test-time batch renormalisation out of elementary operations, as its equations read.

    Running statistics start as those of the first batch, in either mode, and follow the batches of training mode.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, source: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(source.weight.detach().clone())
        self.bias = nn.Parameter(source.bias.detach().clone())
        self.register_buffer("running_mean", torch.zeros_like(source.weight))
        self.register_buffer("running_var", torch.ones_like(source.weight))
        self.epsilon = source.eps
        self.started = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalise float32 (N, C, H, W)."""
        if self.training or not self.started:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=True)
            if not self.started:
                self.running_mean, self.running_var, self.started = mean.detach(), var.detach(), True
        if self.training:
            sigma = (var + self.epsilon).sqrt()
            running_sigma = (self.running_var + self.epsilon).sqrt()
            r = (sigma / running_sigma).detach()
            d = ((mean - self.running_mean) / running_sigma).detach()
            y = (x - _wide(mean)) / _wide(sigma) * _wide(r) + _wide(d)
            self.running_mean = self.running_mean + 0.1 * (mean.detach() - self.running_mean)
            self.running_var = self.running_var + 0.1 * (var.detach() - self.running_var)
        else:
            y = (x - _wide(self.running_mean)) / _wide((self.running_var + self.epsilon).sqrt())
        return _wide(self.weight) * y + _wide(self.bias)


def _wide(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


class Model(Protocol):
    """A network whose normalisation layers learn."""

    parameters: list[nn.Parameter]
    """What learns."""

    def logits(self, samples: Sequence[Tensor], training: bool) -> Tensor:
        """Return logits (N, classes) of N samples, float32 (C, H, W); with a gradient in training mode alone."""

    def copy(self) -> Self:
        """Return a model of the same values."""


class NaiveModel:
    """A network with naive layers, contiguous in NCHW."""

    def __init__(self, network: nn.Module) -> None:
        self.network = _with_naive_layers(network).requires_grad_(False)
        layers = [layer for layer in network.modules() if isinstance(layer, NaiveRenormalisation)]
        self.parameters = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
        for parameter in self.parameters:
            parameter.requires_grad_()

    def logits(self, samples: Sequence[Tensor], training: bool) -> Tensor:
        """Return logits (N, classes) of N samples, float32 (C, H, W); with a gradient in training mode alone."""
        self.network.train(training)
        with torch.set_grad_enabled(training):
            logits: Tensor = self.network(torch.stack(list(samples)))
            return logits

    def copy(self) -> Self:
        """Return a deep copy."""
        return copy.deepcopy(self)


def _with_naive_layers(network: nn.Module) -> nn.Module:
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, NaiveRenormalisation(child))
        else:
            _with_naive_layers(child)
    return network


class SharedModel:
    """A network with the laboratory's own layers and memory layout, so that the loop computes what a run does."""

    def __init__(self, network: nn.Module) -> None:
        self.model = AdaptableModel(network, next(network.parameters()).device)
        self.model.use(Statistics.FIRST)
        self.parameters = self.model.parameters

    def logits(self, samples: Sequence[Tensor], training: bool) -> Tensor:
        """Return logits (N, classes) of N samples, float32 (C, H, W); with a gradient in training mode alone."""
        network = self.model.network.train(training)
        x = torch.stack(list(samples)).contiguous(memory_format=torch.channels_last)
        with torch.set_grad_enabled(training):
            logits: Tensor = network(x)
            return logits

    def copy(self) -> Self:
        """Return a model of the same values, for prediction."""
        other = type(self)(copy.deepcopy(self.model.network))
        other.model.use(Statistics.RUNNING)
        return other


def sample(image: NDArray[np.uint8], preparation: Preparation, place: torch.device) -> Tensor:
    """Turn one image, uint8 (H, W, C), into a normalised sample, float32 (C, H, W)."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
    mean, std = torch.tensor(preparation.mean), torch.tensor(preparation.std)
    return ((pixels - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)).to(place)


def entropy(logits: Tensor) -> Tensor:
    """Return H of logits (N, C) in nats, (N,)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


class PublishedLoop:
    """The device and the cloud of the released code, one step after another.

    Attributes:
        student, teacher: in the cloud.
        edge: on the device; the student itself until the first update.
        generator: draws what is replayed.
        batch_size: new samples in a step.
        replay_minimum: stored samples from which on steps replay three old samples for each new one.
        d_margin: of redundancy.
        e_max: the bound of the entropy, a share of ln C, in nats.

    """

    def __init__(
        self,
        student: Model,
        teacher: Model,
        generator: np.random.Generator,
        num_classes: int,
        batch_size: int = 32,
        replay_minimum: int = 256,
        d_margin: float = 0.4,
        e_max_share: float = 0.4,
    ) -> None:
        self.edge = self.student = student
        self.teacher = teacher
        self.generator = generator
        self.batch_size = batch_size
        self.replay_minimum = replay_minimum
        self.d_margin = d_margin
        self.e_max = e_max_share * math.log(num_classes)
        self.student_descent = torch.optim.SGD(student.parameters, EDGE_RATE, MOMENTUM)
        self.teacher_descent = torch.optim.SGD(teacher.parameters, FOUNDATION_RATE, MOMENTUM)
        self.waiting: list[Tensor] = []
        self.memory: list[Tensor] = []
        self.kept_mean: Tensor | None = None

    def batch(self, samples: list[Tensor]) -> tuple[list[int], list[int]]:
        """Predict an edge batch, exclude, and learn from what is left; return predictions and kept positions."""
        logits = self.edge.logits(samples, training=False)
        kept = self._kept(logits)
        self.waiting += [samples[place] for place in kept]
        self.memory += [samples[place] for place in kept]
        self.memory = self.memory[-10_000:]
        completes = len(self.waiting) >= self.batch_size
        while len(self.waiting) >= self.batch_size:
            new, self.waiting = self.waiting[: self.batch_size], self.waiting[self.batch_size :]
            replays = len(self.memory) >= self.replay_minimum
            self._adapt(new)
            self._distil(new + (self._draw(3 * self.batch_size) if replays else []))
        if not completes and len(self.memory) > self.replay_minimum:
            self._distil(self._draw(4 * self.batch_size))
        return logits.argmax(1).tolist(), kept

    def _kept(self, logits: Tensor) -> list[int]:
        """Return the positions of reliable samples that are not like those kept before."""
        p = logits.softmax(1)
        reliable = (entropy(logits) < self.e_max).nonzero()[:, 0]
        if not len(reliable):
            return []
        if self.kept_mean is None:
            self.kept_mean = p[reliable].mean(0)
            return list(reliable.tolist())
        similarity = F.cosine_similarity(p[reliable], self.kept_mean[None], dim=1)
        kept = reliable[similarity.abs() < self.d_margin]
        if len(kept):
            self.kept_mean = 0.9 * self.kept_mean + 0.1 * p[kept].mean(0)
        return list(kept.tolist())

    def _draw(self, count: int) -> list[Tensor]:
        chosen = self.generator.choice(len(self.memory), min(count, len(self.memory)), replace=False)
        return [self.memory[place] for place in chosen]

    def _weighted_entropy(self, logits: Tensor) -> Tensor:
        entropies = entropy(logits)
        return ((self.e_max - entropies.detach()).exp() * entropies).mean()

    def _adapt(self, new: list[Tensor]) -> None:
        loss = self._weighted_entropy(self.teacher.logits(new, training=True))
        self.teacher_descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.teacher_descent.step()

    def _distil(self, samples: list[Tensor]) -> None:
        target = self.teacher.logits(samples, training=False)
        logits = self.student.logits(samples, training=True)
        weight = (self.e_max - entropy(target)).exp()
        log_student, log_target = logits.log_softmax(1), target.log_softmax(1)
        divergence = (log_target.exp() * (log_target - log_student)).sum(1)
        cross_entropy = F.cross_entropy(logits, target.argmax(1), reduction="none")
        loss = (
            ENTROPY_WEIGHT * self._weighted_entropy(logits)
            + KL_WEIGHT * (weight * divergence).mean()
            + CROSS_ENTROPY_WEIGHT * (weight * cross_entropy).mean()
        )
        self.student_descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.student_descent.step()
        self.edge = self.student.copy()
