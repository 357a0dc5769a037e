"""Statistics only: the fleet shares running statistics of batch normalisation, and no image leaves a device.

An idea of this laboratory, put together from known parts: the statistics follow the world as in ONDA
(https://arxiv.org/abs/1807.01028, IROS 2018), but in the cloud and for many devices at once. That devices share vectors
instead of samples is the idea of CoLA (https://openreview.net/forum?id=YyMiO0DWmI, NeurIPS 2024), whose vectors are
learnt. That statistics belong to one domain is that of FedBN (https://arxiv.org/abs/2102.07623, ICLR 2021), which keeps
them apart on every client, as `student_scope: device` does here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.errors import InputError
from models.strategies import Base
from models.strategies._interface import LOCAL, Decision, Outcome, Step, Version, Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.executor import Forward, Pending
    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Strategy, Upload


class StatisticsOnly(Base):
    """Devices predict with the statistics they were sent and upload those of their batches; nothing is trained."""

    name: Literal["statistics_only"] = "statistics_only"
    student_scope: Literal["fleet", "group", "device"] = "fleet"
    """Who shares running statistics."""
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of a batch's statistics in the running ones after it; 0.1 is what training usually takes."""
    every_batches: Annotated[int, Field(ge=1)] = 1
    """A device sends the statistics of the first of every so many batches."""
    publish_every_steps: Annotated[int, Field(ge=1)] = 1
    """A version is published after so many batches have been taken in, whichever device they are from."""

    def groups_sending_statistics(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Return all of them."""
        return groups

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run; InputError where the edge model has no statistics to share."""
        layout = laboratory.edge.layout
        if layout.size == layout.affine_size:
            raise InputError(
                f"{self.label or self.name}: models.edge has no batch normalisation and so no running statistics to "
                "share; allowed: a model with BatchNorm layers"
            )
        return StatisticsStrategy(self, laboratory)


class StatisticsStrategy:
    """The strategy in one run."""

    def __init__(self, settings: StatisticsOnly, laboratory: Laboratory) -> None:
        self.settings = settings
        self.laboratory = laboratory
        self.cloud = StatisticsCloud(self)

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that predicts and observes."""
        return ObservingDevice(self.laboratory, self.settings.every_batches)

    def student(self, device: DeviceName) -> str:
        """Return the name of the device's scope."""
        return {"fleet": "fleet", "group": device.group, "device": device.name}[self.settings.student_scope]


class ObservingDevice:
    """A device that predicts with the running statistics it was sent and tells the cloud of its batches' own.

    Attributes:
        version: number of the version held.
        state: its decoded normalisation state, float32 (D,).
        batches: how many it has predicted.
        consequential: True; statistics are sent.

    """

    consequential = True

    def __init__(self, laboratory: Laboratory, every_batches: int) -> None:
        self.laboratory = laboratory
        self.every_batches = every_batches
        self.version = 0
        self.state = laboratory.source_state
        self.batches = 0

    def flops(self, samples: int) -> int:
        """Return the operations of a forward pass."""
        return samples * self.laboratory.edge_flops

    def forward(self, images: NDArray[np.uint8]) -> Pending[Forward]:
        """Request the forward pass of a batch, uint8 (N, H, W, C), which leaves the batch's statistics to be read."""
        from models.normalisation import Statistics  # noqa: PLC0415

        laboratory = self.laboratory
        return laboratory.executor.forward(
            laboratory.edge, laboratory.edge_source, images, self.state, Statistics.OBSERVED
        )

    def conclude(self, forward: Forward) -> Decision:
        """Keep every sample on the device; hand out the batch's statistics where they are due.

        They are those of each layer's input under the version held, with the unbiased variance.
        """
        assert forward.state is not None
        due = self.batches % self.every_batches == 0
        self.batches += 1
        observed = forward.state[self.laboratory.edge.layout.affine_size :]
        return Decision(forward.logits, [LOCAL] * len(forward.logits), statistics=observed if due else None)

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Swap to a version: new running statistics, the affine parameters as deployed."""
        self.version, self.state = number, state


class StatisticsCloud:
    """The cloud's agent: each scope's running statistics."""

    def __init__(self, strategy: StatisticsStrategy) -> None:
        devices = strategy.laboratory.devices
        self.student_of = {device.name: strategy.student(device) for device in devices}
        self.scopes = {
            name: SharedStatistics(strategy, name) for name in dict.fromkeys(self.student_of.values())
        }

    def receive(self, upload: Upload) -> list[Step]:
        """Take in the statistics of a batch and return the step that follows them."""
        assert upload.statistics is not None
        scope = self.scopes[self.student_of[upload.device]]
        return [Step(scope.name, "statistics", partial(scope.begin, upload.statistics))]


class SharedStatistics:
    """The running statistics of one scope.

    Attributes:
        state: float32 (D,), the affine parameters as deployed and the statistics, which start as deployed.
        steps, versions: how many it has taken and published.

    """

    def __init__(self, strategy: StatisticsStrategy, name: str) -> None:
        self.name = name
        self.settings = strategy.settings
        self.layout = strategy.laboratory.edge.layout
        self.source = strategy.laboratory.source_state
        self.state = self.source.copy()
        self.steps = 0
        self.versions = 0

    def begin(self, observed: NDArray[np.float32]) -> Work:
        """Return the work of taking in a batch's statistics: three operations for each, and no samples."""
        return Work(0, 0, 3 * len(observed), partial(self._follow, observed))

    def _follow(self, observed: NDArray[np.float32]) -> Outcome:
        """ONDA's update: mu += momentum (mu_device - mu), and likewise the variance."""
        running = self.state[self.layout.affine_size :]
        running += self.settings.momentum * (observed - running)
        self.steps += 1
        if self.steps % self.settings.publish_every_steps:
            return Outcome()
        self.versions += 1
        start = self.layout.affine_size
        pieces = tuple(
            slice(piece.start - start, piece.stop - start)
            for piece in self.layout.pieces
            if piece.start >= start
        )
        version = Version(self.name, self.versions, self.state[start:].copy(), self.source, pieces, start)
        return Outcome(version=version)
