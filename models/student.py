"""Adapted copies of the edge model, in the cloud or on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.draws import own_draws
from models.flops import forward_flops, training_flops
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.sources import LoadedModel
from models.strategies._interface import Version

StatisticsHandling = Literal["distributed", "source", "device_batch"]

Optimise = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
"""Makes the optimiser of a list of parameters."""

Objective = Callable[[Tensor], dict[str, Tensor]]
"""From logits (N, C) to scalars by name of column; the first is the loss, and the others are its terms."""


class StudentNetwork:
    """The one network in which all students take their steps; each brings its state and its optimiser.

    Attributes:
        model: the network.
        forward_flops, training_flops: operations for one image of a pass, and of a pass with its gradient.

    """

    def __init__(self, source: LoadedModel, image_shape: tuple[int, int, int], device: torch.device) -> None:
        self.source = source
        self.device = device
        self.model = AdaptableModel(source.network, device, source.arithmetic)
        self.deployed = self.model.read()
        input_shape = source.preparation.shape_of(image_shape)
        self.forward_flops = forward_flops(self.model, input_shape, source.operations)
        self.training_flops = training_flops(self.model, input_shape, source.operations)


@dataclass(frozen=True)
class Normalising:
    """How a student's batch normalisation works.

    Attributes:
        training: what its first training pass normalises with: Statistics.RUNNING or FIRST renormalise to running
            statistics, the deployed ones or those of the first batch; BATCH uses each batch's own.
        momentum: of the running statistics.
        distributed: whether versions carry the running statistics.

    """

    training: Statistics
    momentum: float
    distributed: bool

    @classmethod
    def of(cls, handling: StatisticsHandling, *, batch_alone: bool = False) -> Normalising:
        """Translate what a scenario says; under `device_batch`, `batch_alone` trains as the devices predict."""
        if handling == "source":
            return cls(Statistics.RUNNING, 0.0, distributed=False)
        if handling == "device_batch" and batch_alone:
            return cls(Statistics.BATCH, 0.0, distributed=False)
        return cls(Statistics.FIRST, 0.1, distributed=handling == "distributed")


class Student:
    """One adapted copy of the edge model and its versions.

    Attributes:
        name: of the scope: fleet, a group or a device.
        network: where it is computed.
        state: normalisation state, float32 (D,).
        optimiser: of the affine parameters; its own.
        steps, versions: how many it has taken and published.

    """

    def __init__(
        self, name: str, network: StudentNetwork, normalising: Normalising, optimise: Optimise
    ) -> None:
        self.name = name
        self.network = network
        self.normalising = normalising
        self.state = network.deployed.copy()
        self.statistics = normalising.training
        self.optimiser = optimise(network.model.parameters)
        self.steps = 0
        self.versions = 0

    def start_with(self, statistics: NDArray[np.float32]) -> None:
        """Take running statistics, float32 (D - affine size,), to start from; ignored once there are some."""
        if self.statistics == Statistics.FIRST:
            self.state[self.network.model.layout.affine_size :] = statistics
            self.statistics = Statistics.RUNNING

    @contextmanager
    def training(self) -> Iterator[AdaptableModel]:
        """Lend the network with this student's state, in training mode; what it has become is the new state."""
        model = self.network.model
        model.load(self.state)
        model.use(self.statistics, momentum=self.normalising.momentum)
        model.network.train()
        try:
            with own_draws(self.name, self.steps):
                yield model
        finally:
            model.network.eval()
        self.state = model.read()
        if self.statistics == Statistics.FIRST:
            self.statistics = Statistics.RUNNING
        self.steps += 1

    def logits(self, images: NDArray[np.uint8]) -> Tensor:
        """Return the logits (N, C) of uint8 images (N, H, W, C); to be called while `training`."""
        network = self.network
        return network.model.logits(prepare(images, network.source.preparation, network.device))

    def descend(self, loss: Tensor) -> None:
        """Take a step of the optimiser along the gradient of a loss; to be called while `training`."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def learn(self, images: NDArray[np.uint8], objective: Objective) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); return their logits before it, detached, and the losses."""
        with self.training():
            logits = self.logits(images)
            losses = objective(logits)
            self.descend(next(iter(losses.values())))
        return logits.detach(), {name: loss.item() for name, loss in losses.items()}

    def publish(self) -> Version:
        """Return the current state as the next version: the affine part, with the statistics if distributed."""
        layout = self.network.model.layout
        distributed = self.normalising.distributed
        size = layout.size if distributed else layout.affine_size
        self.versions += 1
        return Version(
            student=self.name,
            number=self.versions,
            state=self.state[:size].copy(),
            deployed=self.network.deployed,
            pieces=layout.pieces if distributed else layout.affine_pieces,
        )
