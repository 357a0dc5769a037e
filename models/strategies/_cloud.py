"""What strategies share that adapt copies of the edge model in the cloud: scopes, gathering, publishing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import Field

from models.strategies import Base
from models.strategies._interface import Outcome, Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.criteria._chain import Exclusion
    from models.normalisation import Statistics
    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Upload
    from models.student import Student


class CloudLearning(Base):
    """What all of them can be told."""

    statistics: Literal["distributed", "source", "device_batch"] = "device_batch"
    """What a device normalises with, and so what is sent down.

    - distributed: running statistics that the cloud tracks and sends with the affine parameters; the student's start
      with those of the first device's first batch, which are uploaded once;
    - source: the deployed statistics; affine parameters alone are sent;
    - device_batch: those of each batch on the device; affine parameters alone are sent.
    """
    student_scope: Literal["fleet", "group", "device"] = "fleet"
    """Who shares a student: its uploads, what is remembered of them, and its versions."""
    batch_size: Annotated[int, Field(ge=2)] = 32
    """Uploaded samples in a cloud step."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of every SGD optimiser."""
    publish_every_steps: Annotated[int, Field(ge=1)] = 1
    """K: a version is published after every K steps of a student."""

    def groups_sending_statistics(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Return those in which a student's first device is, where statistics are distributed."""
        if self.statistics != "distributed":
            return ()
        return groups[:1] if self.student_scope == "fleet" else groups

    def first_statistics(self) -> Statistics:
        """Return what a device's first pass normalises with."""
        from models.normalisation import Statistics  # noqa: PLC0415

        return {
            "distributed": Statistics.FIRST,
            "source": Statistics.RUNNING,
            "device_batch": Statistics.BATCH,
        }[self.statistics]


S = TypeVar("S", bound=CloudLearning)


class Scope(Protocol):
    """A student and what waits for it."""

    student: Student

    def receive(self, images: NDArray[np.uint8], arrival: int) -> list[Step]:
        """Take in the kept images of one edge batch, (n, H, W, C), and return the steps that are ready."""


class Waiting:
    """Uploaded samples that wait until there are enough for a step."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.images: list[NDArray[np.uint8]] = []

    def add(self, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Queue images, (n, H, W, C); return every full batch, first come, first served."""
        import numpy as np  # noqa: PLC0415

        self.images.extend(images)
        batches = []
        while len(self.images) >= self.batch_size:
            batch, self.images = self.images[: self.batch_size], self.images[self.batch_size :]
            batches.append(np.stack(batch))
        return batches


class ScopedCloud:
    """The cloud's agent: hands every upload to the scope of its sender."""

    def __init__(
        self, laboratory: Laboratory, student_of: Mapping[str, str], make: Callable[[str], Scope]
    ) -> None:
        self.laboratory = laboratory
        self.student_of = student_of
        self.scopes = {name: make(name) for name in dict.fromkeys(student_of.values())}

    def receive(self, upload: Upload) -> list[Step]:
        """Take in a message of statistics, or the kept images of one edge batch."""
        scope = self.scopes[self.student_of[upload.device]]
        if upload.statistics is not None:
            self.laboratory.executor.then(partial(scope.student.start_with, upload.statistics))
        return [] if upload.images is None else scope.receive(upload.images, upload.arrival)


class ScopedStrategy(Generic[S]):
    """A strategy whose devices predict and exclude, and whose cloud learns, in one run."""

    announces: ClassVar[bool] = False
    """Whether the cloud is told of batches of which nothing is kept."""

    def __init__(self, settings: S, laboratory: Laboratory) -> None:
        self.settings = settings
        self.laboratory = laboratory
        students = {device.name: self.student(device) for device in laboratory.devices}
        self.cloud = ScopedCloud(laboratory, students, self.scope)
        first_of = {self.student(device): device for device in reversed(laboratory.devices)}
        self.statistics_senders = set(first_of.values()) if settings.statistics == "distributed" else set()

    def student(self, device: DeviceName) -> str:
        """Return the name of the device's scope."""
        return {"fleet": "fleet", "group": device.group, "device": device.name}[self.settings.student_scope]

    def scope(self, name: str) -> Scope:
        """Return a fresh scope."""
        raise NotImplementedError

    def exclusion(self, device: DeviceName) -> Exclusion:
        """Return the criteria of a device; here it uploads everything."""
        from models.criteria._chain import Exclusion  # noqa: PLC0415

        return Exclusion({})

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that predicts, excludes and, as the first of its scope, sends its first statistics."""
        from models.strategies._edge import ForwardOnly  # noqa: PLC0415

        return ForwardOnly(
            self.laboratory,
            statistics=self.settings.first_statistics(),
            exclusion=self.exclusion(device),
            sends_statistics=device in self.statistics_senders,
            announces=self.announces,
        )


def published(student: Student, losses: dict[str, float], publish_every_steps: int) -> Outcome:
    """Return the outcome of a student's step, with a version where one is due."""
    due = student.steps % publish_every_steps == 0
    return Outcome(losses, student.publish() if due else None)
