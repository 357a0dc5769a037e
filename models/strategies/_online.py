"""What strategies share that adapt the edge model itself, without a teacher: in the cloud or on the device.

A rival is a method, which takes one step on a batch, and settings for each place where it can run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

from pydantic import Field

from models.strategies import Base
from models.strategies._cloud import CloudLearning, ScopedStrategy, Waiting, published
from models.strategies._interface import LOCAL, Decision, Outcome, Step, Work
from scenarios.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.executor import Forward, Pending
    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Strategy
    from models.student import Optimise, Student, StudentNetwork


class Method(Protocol):
    """A way to adapt a copy of the edge model to unlabelled batches; its state belongs to one student."""

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of a step on so many samples."""

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); return their predicted logits (N, C) and the losses."""


class OnlineInCloud(CloudLearning):
    """Settings of a method that runs in the cloud, on every sample: the devices upload all of them."""

    optimiser: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 0.00025

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        raise NotImplementedError

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return OnlineStrategy(self, laboratory)


class OnlineOnDevice(Base):
    """Settings of a method that runs on each device, backward passes and all; nothing is sent."""

    optimiser: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 0.00025
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD."""

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one device."""
        raise NotImplementedError

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return OnDeviceStrategy(self, laboratory)


def optimise_with(settings: OnlineInCloud | OnlineOnDevice) -> Optimise:
    """Return the maker of the optimiser that the settings ask for."""
    import torch  # noqa: PLC0415

    if settings.optimiser == "adam":
        return partial(torch.optim.Adam, lr=settings.learning_rate)
    return partial(torch.optim.SGD, lr=settings.learning_rate, momentum=settings.momentum)


S = TypeVar("S", bound=OnlineInCloud)


class OnlineStrategy(ScopedStrategy[S]):
    """A method in the cloud, with a student for each scope, in one run."""

    def __init__(self, settings: S, laboratory: Laboratory) -> None:
        from models.student import StudentNetwork  # noqa: PLC0415

        self.network = StudentNetwork(
            laboratory.load_edge(), laboratory.image_shape, laboratory.executor.device
        )
        super().__init__(settings, laboratory)

    def scope(self, name: str) -> OnlineScope:
        """Return a fresh scope."""
        return OnlineScope(self, name)

    def method(self, student: Student) -> Method:
        """Return the method for one student."""
        return self.settings.method(self.laboratory, student)


class OnlineScope:
    """A student, its method and the samples that wait for it."""

    def __init__(self, strategy: OnlineStrategy[Any], name: str) -> None:
        from models.student import Normalising, Student  # noqa: PLC0415

        settings = strategy.settings
        self.settings = settings
        self.network = strategy.network
        normalising = Normalising.of(settings.statistics, batch_alone=True)
        self.student = Student(name, strategy.network, normalising, optimise_with(settings))
        self.method = strategy.method(self.student)
        self.waiting = Waiting(settings.batch_size)

    def receive(self, images: NDArray[np.uint8], arrival: int) -> list[Step]:
        """Queue the images of one edge batch, (n, H, W, C); return a step for each full batch."""
        return [
            Step(self.student.name, "batch", partial(self._begin, batch))
            for batch in self.waiting.add(images)
        ]

    def _begin(self, images: NDArray[np.uint8]) -> Work:
        return Work(
            len(images), 0, self.method.flops(self.network, len(images)), partial(self._adapt, images)
        )

    def _adapt(self, images: NDArray[np.uint8]) -> Outcome:
        _, losses = self.method.adapt(self.student, images)
        return published(self.student, losses, self.settings.publish_every_steps)


class OnDeviceStrategy:
    """A method on every device, in one run."""

    cloud = None

    def __init__(self, settings: OnlineOnDevice, laboratory: Laboratory) -> None:
        from models.student import StudentNetwork  # noqa: PLC0415

        self.settings = settings
        self.laboratory = laboratory
        self.network = StudentNetwork(
            laboratory.load_edge(), laboratory.image_shape, laboratory.executor.device
        )

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that adapts its own copy of the model."""
        return AdaptingDevice(self, device)

    def student(self, device: DeviceName) -> str:
        """Return the device's name: each has a student of its own."""
        return device.name


class AdaptingDevice:
    """A device that takes a step on every batch that it predicts.

    Attributes:
        version: 0; nothing is ever published.
        consequential: False; steps follow one another whether or not their predictions are looked at.
        student: the device's copy of the model.

    """

    version = 0
    consequential = False

    def __init__(self, strategy: OnDeviceStrategy, device: DeviceName) -> None:
        from models.student import Normalising, Student  # noqa: PLC0415

        settings = strategy.settings
        self.executor = strategy.laboratory.executor
        self.network = strategy.network
        normalising = Normalising.of("device_batch", batch_alone=True)
        self.student = Student(device.name, strategy.network, normalising, optimise_with(settings))
        self.method = settings.method(strategy.laboratory, self.student)

    def flops(self, samples: int) -> int:
        """Return the operations of a step."""
        return self.method.flops(self.network, samples)

    def forward(self, images: NDArray[np.uint8]) -> Pending[Forward]:
        """Request the step on a batch, uint8 (N, H, W, C), whose logits are the prediction."""
        return self.executor.step(partial(self._adapt, images))

    def _adapt(self, images: NDArray[np.uint8]) -> Forward:
        from models.executor import Forward  # noqa: PLC0415

        logits, _ = self.method.adapt(self.student, images)
        return Forward(logits.cpu())

    def conclude(self, forward: Forward) -> Decision:
        """Keep every sample on the device."""
        return Decision(forward.logits, [LOCAL] * len(forward.logits))

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Nothing is ever sent down."""
        raise LookupError("an update for a device whose strategy publishes none")
