"""EATA in the cloud: ETA with a Fisher regulariser against forgetting (https://arxiv.org/abs/2204.02610, ICML 2022).

Before deployment the importance of every affine parameter is estimated on a few clean images, without their labels;
then the devices upload all that they see, and the cloud adapts to what it selects without moving the important
parameters far. The estimate takes no simulated time and is not counted among the cloud's operations.
"""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.strategies._online import OnlineInCloud, OnlineStrategy, optimise_with
from models.strategies._selection import Selection
from models.strategies.eta import SelectiveEntropyMinimisation
from scenarios.settings import NonNegative

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.normalisation import AdaptableModel
    from models.strategies._interface import Laboratory, Strategy
    from models.strategies._online import Method
    from models.student import Student, StudentNetwork


class Eata(OnlineInCloud, Selection):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.00025.

    For CIFAR-10 the paper takes a learning rate of 0.005, a d_margin of 0.4 and a fisher_alpha of 1.
    """

    needs_clean_images: ClassVar[bool] = True

    name: Literal["eata"] = "eata"
    fisher_alpha: NonNegative = 2000.0
    """Beta of equation 8, the factor of the regulariser; the released code calls it fisher_alpha."""
    fisher_samples: Annotated[int, Field(ge=2)] = 2000
    """Clean images to estimate the importance from, or all where the data set has fewer."""
    fisher_batch_size: Annotated[int, Field(ge=2)] = 64
    """Most of them in one gradient; the importance is the mean over batches of its square, as in the released code."""

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return EataStrategy(self, laboratory)


class EataStrategy(OnlineStrategy[Eata]):
    """The method in one run; all students share the estimate of what is important in the model as deployed."""

    @cached_property
    def importance(self) -> Importance:
        """The importance of the affine parameters."""
        return Importance(self.settings, self.laboratory, self.network)

    def method(self, student: Student) -> Method:
        """Return the method for one student."""
        num_classes = self.laboratory.edge_source.num_classes
        return AntiForgetting(self.settings, num_classes, self.importance)


class Importance:
    """The diagonal of the Fisher information of the affine parameters, omega (equation 9).

    The expectation runs over clean images with the labels that the deployed model gives them.

    Attributes:
        fisher: float32 (d,), available once the executor has done what was submitted before.
        deployed: the parameters as deployed, float32 (d,).

    """

    fisher: Tensor

    def __init__(self, settings: Eata, laboratory: Laboratory, network: StudentNetwork) -> None:
        import numpy as np  # noqa: PLC0415

        from models.student import Normalising, Student  # noqa: PLC0415

        self.deployed = network.model.state[: network.model.layout.affine_size].detach().clone()
        images = laboratory.clean_images(settings.fisher_samples)
        batches = np.array_split(images, math.ceil(len(images) / settings.fisher_batch_size))
        normalising = Normalising.of(settings.statistics, batch_alone=True)
        clean = Student("clean", network, normalising, optimise_with(settings))
        laboratory.executor.then(partial(self.estimate, clean, batches))

    def estimate(self, clean: Student, batches: list[NDArray[np.uint8]]) -> None:
        """Set the Fisher information from batches of uint8 (N, H, W, C), seen by a student that takes no step."""
        import torch  # noqa: PLC0415
        from torch.nn import functional as F  # noqa: PLC0415

        fisher = torch.zeros_like(self.deployed)
        for images in batches:
            with clean.training() as model:
                logits = clean.logits(images)
                loss = F.cross_entropy(logits, logits.detach().argmax(1))
                fisher += _flat(torch.autograd.grad(loss, model.parameters)).square()
        self.fisher = fisher / len(batches)


class AntiForgetting(SelectiveEntropyMinimisation):
    """Selective entropy minimisation with the regulariser beta sum_i omega_i (theta_i - theta_i deployed)^2.

    The regulariser alone moves nothing: a batch of which nothing is selected changes no parameter.
    """

    def __init__(self, settings: Eata, num_classes: int, importance: Importance) -> None:
        super().__init__(settings, num_classes)
        self.fisher_alpha = settings.fisher_alpha
        self.importance = importance

    def loss(self, model: AdaptableModel, logits: Tensor) -> Tensor | None:
        """Return equation 8 for logits (N, C) from the model, a scalar."""
        entropy_loss = super().loss(model, logits)
        return None if entropy_loss is None else entropy_loss + self.fisher_alpha * self.regulariser(model)

    def regulariser(self, model: AdaptableModel) -> Tensor:
        """Return how far the important parameters are from where they were deployed, a scalar."""
        distance = _flat(model.parameters) - self.importance.deployed
        return (self.importance.fisher * distance.square()).sum()


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    """Return tensors as one vector, in the order of the normalisation state."""
    import torch  # noqa: PLC0415

    return torch.cat([tensor.flatten() for tensor in tensors])
