"""What strategies share that adapt on each device with forward passes alone, and send nothing.

Such a strategy is a method, which says how a batch is normalised and what comes of its logits, and the method's
settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from models.errors import InputError
from models.strategies import Base
from models.strategies._interface import LOCAL, Decision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.executor import Forward, Pending
    from models.normalisation import Statistics
    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Strategy


class ForwardOnlySettings(Base):
    """Settings of a method that runs on each device without a backward pass."""

    def method(self, laboratory: Laboratory) -> ForwardMethod:
        """Return the method for one device; InputError where the edge model lacks what it adapts."""
        raise NotImplementedError

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return ForwardOnlyStrategy(self, laboratory)


class OutputSettings(ForwardOnlySettings):
    """Settings of a method that leaves the network alone and adapts what comes out of it."""

    statistics: Literal["source", "device_batch"] = "source"
    """What a device normalises with: the deployed statistics, as in the paper, or those of each batch."""


class ForwardMethod:
    """A way to adapt to unlabelled batches without a gradient; its state belongs to one device.

    Attributes:
        needs_features: whether `predict` reads the classifier's input.
        remembers: whether what it does with a batch depends on the batches before.

    """

    needs_features: ClassVar[bool] = False
    remembers: ClassVar[bool] = True

    def statistics(self, samples: int) -> Statistics:
        """Return which statistics a batch of so many samples is normalised with, and which are kept of it."""
        raise NotImplementedError

    def flops(self, samples: int) -> int:
        """Return the operations that the method adds to the forward pass of so many samples; here none."""
        return 0

    def predict(self, forward: Forward) -> Tensor:
        """Return the logits that are a batch's prediction, float32 (N, C); here the network's own."""
        return forward.logits


class StatisticsMethod(ForwardMethod):
    """A method that adapts the statistics of batch normalisation and nothing else."""

    def __init__(self, settings: ForwardOnlySettings, laboratory: Laboratory) -> None:
        layout = laboratory.edge.layout
        if layout.size == layout.affine_size:
            raise InputError(
                f"{settings.label or settings.name}: adapts the statistics of batch normalisation, and the edge model "
                "has none; allowed: a model with BatchNorm layers"
            )


class OutputMethod(ForwardMethod):
    """A method that computes other logits from the features and logits of a batch."""

    needs_features = True

    def __init__(self, settings: OutputSettings) -> None:
        from models.normalisation import Statistics  # noqa: PLC0415

        self.normalising = Statistics.RUNNING if settings.statistics == "source" else Statistics.BATCH

    def statistics(self, samples: int) -> Statistics:
        """Return the statistics that the settings name; none are kept."""
        return self.normalising


class ForwardOnlyStrategy:
    """A method on every device, in one run."""

    cloud = None

    def __init__(self, settings: ForwardOnlySettings, laboratory: Laboratory) -> None:
        self.settings = settings
        self.laboratory = laboratory

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device with a method of its own."""
        return ForwardOnlyDevice(self.laboratory, self.settings.method(self.laboratory))

    def student(self, device: DeviceName) -> str:
        """Return the device's name; nothing is ever published to it."""
        return device.name


class ForwardOnlyDevice:
    """A device that adapts to each batch while it predicts it.

    Attributes:
        version: 0; nothing is ever published.
        method: how it adapts.
        state: the normalisation state, float32 (D,), with what the method keeps of the batches so far.

    """

    version = 0

    def __init__(self, laboratory: Laboratory, method: ForwardMethod) -> None:
        self.laboratory = laboratory
        self.method = method
        self.state: NDArray[np.float32] = laboratory.source_state

    @property
    def consequential(self) -> bool:
        """Whether the method remembers."""
        return self.method.remembers

    def flops(self, samples: int) -> int:
        """Return the operations of a forward pass and of the method."""
        return samples * self.laboratory.edge_flops + self.method.flops(samples)

    def forward(self, images: NDArray[np.uint8]) -> Pending[Forward]:
        """Request the forward pass of a batch, uint8 (N, H, W, C)."""
        laboratory, method = self.laboratory, self.method
        return laboratory.executor.forward(
            laboratory.edge,
            laboratory.edge_source,
            images,
            self.state,
            method.statistics(len(images)),
            features=method.needs_features,
        )

    def conclude(self, forward: Forward) -> Decision:
        """Keep the statistics and every sample on the device; the method has the last word on the logits."""
        if forward.state is not None:
            self.state = forward.state
        return Decision(self.method.predict(forward), [LOCAL] * len(forward.logits))

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Nothing is ever published; LookupError."""
        raise LookupError("an update for a device whose strategy publishes none")
