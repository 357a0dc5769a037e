"""The foundation model in the cloud: adapted by entropy, and the teacher of every student."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.distillation import weighted_entropy
from models.draws import own_draws
from models.flops import forward_flops, training_flops
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.sources import LoadedModel


class FoundationModel:
    """A model whose affine parameters follow the uploads.

    Under Statistics.FIRST its running statistics start as those of the first batch it sees and follow the batches it
    adapts to; under RUNNING they start as deployed.

    Attributes:
        model: the network and its normalisation state.
        steps: how many it has taken.
        forward_flops, training_flops: operations for one image of a pass, and of a pass with its gradient.

    """

    def __init__(
        self,
        source: LoadedModel,
        image_shape: tuple[int, int, int],
        device: torch.device,
        learning_rate: float,
        momentum: float,
        statistics: Statistics = Statistics.FIRST,
    ) -> None:
        self.source = source
        self.device = device
        self.model = AdaptableModel(source.network, device, source.arithmetic)
        input_shape = source.preparation.shape_of(image_shape)
        self.forward_flops = forward_flops(self.model, input_shape, source.operations)
        self.training_flops = training_flops(self.model, input_shape, source.operations)
        self.model.use(statistics)
        self.optimiser = torch.optim.SGD(self.model.parameters, learning_rate, momentum)
        self.steps = 0

    def adapt(self, images: NDArray[np.uint8], e_max: float) -> float:
        """Take one SGD step on mean(w H) over uint8 images (N, H, W, C); return the loss before it."""
        self.model.network.train()
        with own_draws("foundation", self.steps):
            loss = weighted_entropy(self.model.logits(self._input(images)), e_max)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.model.network.eval()
        self.steps += 1
        return loss.item()

    def teach(self, images: NDArray[np.uint8]) -> Tensor:
        """Return the logits (N, num_classes) of evaluation mode, without a gradient."""
        with torch.no_grad():
            return self.model.logits(self._input(images))

    def _input(self, images: NDArray[np.uint8]) -> Tensor:
        return prepare(images, self.source.preparation, self.device)
