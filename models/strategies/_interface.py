"""What a strategy is to the simulation: an agent on every device, perhaps one in the cloud, and the parts they need.

Agents hold all state and know nothing of time; the simulation decides when each is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.executor import Executor, Forward, Pending
    from models.normalisation import AdaptableModel
    from models.sources import LoadedModel

LOCAL = "local"
"""Verdict on a sample that the strategy never meant to upload."""


@dataclass(frozen=True)
class DeviceName:
    """A device and the group that it belongs to."""

    name: str
    group: str


@dataclass(frozen=True)
class Laboratory:
    """What a strategy may use in one run.

    Attributes:
        executor: runs the models.
        edge: the edge model that all devices share; its weights are common and its state is loaded for each pass.
        edge_source: how the edge model's input is normalised.
        edge_flops: operations of its forward pass for one image.
        source_state: the normalisation state as deployed, float32 (D,).
        load_edge, load_foundation: return a fresh copy of each model for the cloud.
        image_shape: (H, W, C).
        devices: the fleet in the scenario's order.
        generator: returns the random stream of a given name.
        clean_images: returns so many images of the data set without a shift, uint8 (count, H, W, C), for methods that
            are given a few before deployment; raises models.errors.InputError where there are none.

    """

    executor: Executor
    edge: AdaptableModel
    edge_source: LoadedModel
    edge_flops: int
    source_state: NDArray[np.float32]
    load_edge: Callable[[], LoadedModel]
    load_foundation: Callable[[], LoadedModel]
    image_shape: tuple[int, int, int]
    devices: Sequence[DeviceName]
    generator: Callable[[str], np.random.Generator]
    clean_images: Callable[[int], NDArray[np.uint8]]

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return the laboratory itself: whatever is copied of a run stays in it."""
        return self


@dataclass(frozen=True)
class Version:
    """A published normalisation state of one student.

    Attributes:
        student: whose.
        number: counts the student's versions; 0 is the model as deployed.
        state: float32 (d,), the part of the state vector that is distributed.
        deployed: the whole state vector as deployed, float32 (D,), which every device knows.
        pieces: the parameters and statistics that the part consists of.
        start: where the part begins in the whole.

    """

    student: str
    number: int
    state: NDArray[np.float32]
    deployed: NDArray[np.float32]
    pieces: tuple[slice, ...]
    start: int = 0

    @property
    def source(self) -> NDArray[np.float32]:
        """The same part of the deployed state, float32 (d,)."""
        return self.deployed[self.start : self.start + len(self.state)]

    def whole(self, part: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a decoded part, float32 (d,), with the rest as deployed, float32 (D,)."""
        whole = self.deployed.copy()
        whole[self.start : self.start + len(part)] = part
        return whole


@dataclass(frozen=True)
class Decision:
    """What a device concludes from a forward pass.

    Attributes:
        logits: float32 (N, num_classes); the prediction is their argmax and is final.
        verdicts: for each sample `kept`, `local` or the name of the criterion that excluded it.
        statistics: running statistics to send to the cloud, float32, or None.
        announce: whether to tell the cloud of this batch even if no sample is kept.
        state: what the criteria remember after the batch, such as thresholds, by name.

    """

    logits: Tensor
    verdicts: list[str]
    statistics: NDArray[np.float32] | None = None
    announce: bool = False
    state: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """What arrives in the cloud from one batch of one device, decoded.

    Attributes:
        device: the sender.
        images: uint8 (n, H, W, C), possibly none; None for a message of statistics.
        statistics: float32, or None for a message of images.
        batch: number of the batch on the sender.
        arrival: when it arrived, to be handed back with what is remembered of it.
        stale: whether it was sent before a reset, for an answer alone.

    """

    device: str
    images: NDArray[np.uint8] | None = None
    statistics: NDArray[np.float32] | None = None
    batch: int = 0
    arrival: int = 0
    stale: bool = False


@dataclass(frozen=True)
class Answer:
    """The cloud's prediction for a batch of a device: logits, float32 (N, num_classes)."""

    device: str
    batch: int
    logits: Tensor


@dataclass(frozen=True)
class Outcome:
    """What a cloud step did: its losses by name of column, and the version to publish and answer to send, if any."""

    losses: dict[str, float] = field(default_factory=dict)
    version: Version | None = None
    answer: Answer | None = None


@dataclass(frozen=True)
class Work:
    """A cloud step whose samples are chosen: what it costs and how to do it.

    Attributes:
        new_samples, replayed_samples: how many of each it takes.
        flops: what it costs.
        execute: does it.
        remembered: the arrival of every sample in the student's replay buffer, int64 (n,), or None without one.

    """

    new_samples: int
    replayed_samples: int
    flops: int
    execute: Callable[[], Outcome]
    remembered: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Step:
    """A cloud step that is ready to run; steps of one student run in order and never overlap.

    Attributes:
        student: whose step.
        kind: batch, replay (on replayed samples alone), statistics (without a gradient) or answer.
        begin: called when an accelerator is free; chooses replayed samples and returns the work.

    """

    student: str
    kind: str
    begin: Callable[[], Work]


class EdgeAgent(Protocol):
    """The strategy on one device."""

    @property
    def version(self) -> int | None:
        """Number of the version that it holds; None where the cloud predicts."""

    @property
    def consequential(self) -> bool:
        """Whether anything that happens next depends on `conclude`: what is sent, or the passes that follow.

        Where nothing does, it may be called later, but in order.
        """

    def flops(self, samples: int) -> int:
        """Return the operations that a batch of so many samples costs the device."""

    def forward(self, images: NDArray[np.uint8]) -> Pending[Forward] | None:
        """Request the forward pass of a batch, uint8 (N, H, W, C); None leaves the prediction to the cloud."""

    def conclude(self, forward: Forward) -> Decision:
        """Judge the batch once its forward pass is done."""

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Swap to a version: its number and its state as decoded, float32 (D,), what was not sent as deployed.

        All devices share the array. Called between batches only.
        """


class CloudAgent(Protocol):
    """The strategy in the cloud.

    A deep copy of it, made while no step is being executed, must be as good as itself and share nothing that changes:
    that is a checkpoint.
    """

    def receive(self, upload: Upload) -> list[Step]:
        """Take in an upload and return the steps that it makes ready."""


class Strategy(Protocol):
    """A strategy in one run."""

    @property
    def cloud(self) -> CloudAgent | None:
        """The agent in the cloud, or None where nothing is ever uploaded."""

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a fresh agent for a device."""

    def student(self, device: DeviceName) -> str:
        """Return the name of the student whose versions the device receives."""
