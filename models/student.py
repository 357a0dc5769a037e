"""The cloud's copies of the edge model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.distillation import DistillationTerms, distillation_terms
from models.flops import training_flops
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.sources import LoadedModel
from models.strategies._interface import Version

StatisticsHandling = Literal["distributed", "source", "device_batch"]


class StudentNetwork:
    """The one network in which all students take their steps; each brings its state and its optimiser.

    Attributes:
        model: the network.
        training_flops: operations for one image of a forward pass with its gradient.

    """

    def __init__(self, source: LoadedModel, image_shape: tuple[int, int, int], device: torch.device) -> None:
        self.source = source
        self.device = device
        self.model = AdaptableModel(source.network, device)
        self.deployed = self.model.read()
        self.training_flops = training_flops(self.model, image_shape)


@dataclass(frozen=True)
class LossWeights:
    """Factors of the distillation loss, its temperature, and E_max0 of the samples' weights in nats."""

    entropy: float
    kl: float
    cross_entropy: float
    temperature: float
    e_max: float

    def total(self, terms: DistillationTerms) -> Tensor:
        """Return the weighted sum of the terms."""
        return self.entropy * terms.entropy + self.kl * terms.kl + self.cross_entropy * terms.cross_entropy


class Student:
    """One adapted copy of the edge model and its versions.

    Its batch normalisation renormalises to running statistics. Under `source` these are the deployed ones; else they
    start as given to `start_with`, or as those of the first batch it is trained on, and follow the batches.

    Attributes:
        name: of the scope: fleet, a group or a device.
        state: normalisation state, float32 (D,).
        steps, versions: how many it has taken and published.

    """

    def __init__(
        self,
        name: str,
        network: StudentNetwork,
        handling: StatisticsHandling,
        learning_rate: float,
        momentum: float,
    ) -> None:
        self.name = name
        self.network = network
        self.handling = handling
        self.state = network.deployed.copy()
        self.statistics = Statistics.RUNNING if handling == "source" else Statistics.FIRST
        self.optimiser = torch.optim.SGD(network.model.parameters, learning_rate, momentum)
        self.steps = 0
        self.versions = 0

    def start_with(self, statistics: NDArray[np.float32]) -> None:
        """Take running statistics, float32 (D - affine size,), to start from; ignored once there are some."""
        if self.statistics is Statistics.FIRST:
            self.state[self.network.model.layout.affine_size :] = statistics
            self.statistics = Statistics.RUNNING

    def distil(self, images: NDArray[np.uint8], teacher: Tensor, weights: LossWeights) -> dict[str, float]:
        """Take one SGD step towards the teacher's logits (N, C) on uint8 images (N, H, W, C); return the losses."""
        network, model = self.network, self.network.model
        model.load(self.state)
        model.use(self.statistics, momentum=0.0 if self.handling == "source" else 0.1)
        model.network.train()
        logits = model.network(prepare(images, network.source.preparation, network.device))
        terms = distillation_terms(logits, teacher, weights.e_max, weights.temperature)
        loss = weights.total(terms)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        model.network.eval()
        self.state, self.statistics = model.read(), Statistics.RUNNING
        self.steps += 1
        return {
            "distillation_loss": loss.item(),
            "entropy_term": terms.entropy.item(),
            "kl_term": terms.kl.item(),
            "cross_entropy_term": terms.cross_entropy.item(),
        }

    def publish(self) -> Version:
        """Return the current state as the next version: all of it under `distributed`, else the affine part."""
        layout = self.network.model.layout
        with_statistics = self.handling == "distributed"
        size = layout.size if with_statistics else layout.affine_size
        self.versions += 1
        return Version(
            student=self.name,
            number=self.versions,
            state=self.state[:size].copy(),
            source=self.network.deployed[:size],
            pieces=layout.pieces if with_statistics else layout.affine_pieces,
        )
