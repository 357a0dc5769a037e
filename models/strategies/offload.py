"""Offloaded inference: the foundation model in the cloud answers every batch.

The ceiling of accuracy that CEMA (https://arxiv.org/abs/2402.17316) strives for, at the price of every upload and of
the way to the cloud and back before each prediction. The devices compute nothing.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.strategies import Base
from models.strategies._cloud import Waiting
from models.strategies._interface import Answer, Outcome, Step, Work
from scenarios.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.executor import Forward
    from models.strategies._interface import Decision, DeviceName, EdgeAgent, Laboratory, Strategy, Upload

FOUNDATION = "foundation"
"""Whose steps adaptation's are; a device's name always ends in a number."""


class Offload(Base):
    """Every device uploads all samples and waits; the foundation model answers as deployed or adapts beside it."""

    needs_foundation: ClassVar[bool] = True

    name: Literal["offload"] = "offload"
    adapt: bool = False
    """Whether the foundation model adapts to what it answers, by the weighted entropy of CEMA's foundation step.

    The four fields below describe that step; the values are CEMA's.
    """
    batch_size: Annotated[int, Field(ge=2)] = 32
    """Uploaded samples in a step of adaptation."""
    learning_rate: Positive = 0.00025
    """Of SGD."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD."""
    e_max_share: Positive = 0.4
    """E_max0 of the loss's weights exp(E_max0 - H), as a share of ln C."""

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return OffloadStrategy(self, laboratory)


class OffloadStrategy:
    """The strategy in one run."""

    def __init__(self, settings: Offload, laboratory: Laboratory) -> None:
        self.cloud = AnsweringCloud(settings, laboratory)

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that leaves every prediction to the cloud."""
        return Terminal()

    def student(self, device: DeviceName) -> str:
        """Return the device's name: answers to one device follow one another, those to several need not wait."""
        return device.name


class Terminal:
    """A device that runs no model.

    Attributes:
        version: None; it holds none.
        consequential: True; it never concludes.

    """

    version = None
    consequential = True

    def flops(self, samples: int) -> int:
        """Return 0."""
        return 0

    def forward(self, images: NDArray[np.uint8]) -> None:
        """Leave the prediction to the cloud."""

    def conclude(self, forward: Forward) -> Decision:
        """There is never a forward pass to conclude; LookupError."""
        raise LookupError("a forward pass on a device that leaves its predictions to the cloud")

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Nothing is ever published; LookupError."""
        raise LookupError("an update for a device that holds no model")


class AnsweringCloud:
    """The foundation model, which answers with its present state, and the samples that wait for its adaptation.

    It normalises with the deployed statistics. Once it adapts it does as CEMA's: its running statistics start as those
    of the first step's samples and follow those of later steps. A step is ready behind the answers to its samples, and
    overtakes one only where that waits for an earlier answer to its device and an accelerator is free.
    """

    def __init__(self, settings: Offload, laboratory: Laboratory) -> None:
        from models.foundation import FoundationModel  # noqa: PLC0415
        from models.normalisation import Statistics  # noqa: PLC0415

        self.adapts = settings.adapt
        self.e_max = settings.e_max_share * math.log(laboratory.edge_source.num_classes)
        self.foundation = FoundationModel(
            laboratory.load_foundation(),
            laboratory.image_shape,
            laboratory.executor.device,
            settings.learning_rate,
            settings.momentum,
            Statistics.RUNNING,
        )
        self.waiting = Waiting(settings.batch_size)
        self.steps = 0

    def receive(self, upload: Upload) -> list[Step]:
        """Return the step that answers a batch and, where it adapts, one for each batch that is now full."""
        assert upload.images is not None
        steps = [Step(upload.device, "answer", partial(self._begin_answer, upload, upload.images))]
        if self.adapts and not upload.stale:
            steps += [
                Step(FOUNDATION, "batch", partial(self._begin_adaptation, batch))
                for batch in self.waiting.add(upload.images)
            ]
        return steps

    def _begin_answer(self, upload: Upload, images: NDArray[np.uint8]) -> Work:
        flops = len(images) * self.foundation.forward_flops
        return Work(len(images), 0, flops, partial(self._answer, upload, images))

    def _answer(self, upload: Upload, images: NDArray[np.uint8]) -> Outcome:
        logits = self.foundation.teach(images).cpu()
        return Outcome(answer=Answer(upload.device, upload.batch, logits))

    def _begin_adaptation(self, images: NDArray[np.uint8]) -> Work:
        flops = len(images) * self.foundation.training_flops
        return Work(len(images), 0, flops, partial(self._adapt, images))

    def _adapt(self, images: NDArray[np.uint8]) -> Outcome:
        from models.normalisation import Statistics  # noqa: PLC0415

        if self.steps == 0:
            self.foundation.model.use(Statistics.FIRST)
        self.steps += 1
        return Outcome({"foundation_loss": self.foundation.adapt(images, self.e_max)})
