"""CEMA: Cloud-Edge Elastic Model Adaptation (https://arxiv.org/abs/2402.17316, ICLR 2024).

Devices only predict and exclude samples that are not worth uploading. The cloud adapts a foundation model to what
arrives by weighted entropy, distils it into its copy of the edge model, with replay, and publishes that copy's
normalisation state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.strategies import Base
from models.strategies._interface import Outcome, Step, Work
from scenarios import catalogue
from scenarios.settings import NonNegative, Positive, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.strategies._interface import DeviceName, EdgeAgent, Laboratory, Strategy, Upload

    Criteria = Any
else:
    Criteria = catalogue.switches(catalogue.CRITERIA, "Criteria")

Count = Annotated[int, Field(ge=0)]

PRESETS: dict[str, dict[str, Any]] = {
    # The text of the paper: two criteria with the recursive threshold, distillation by KL and cross-entropy, affine
    # parameters sent down, no statistics; devices then normalise with the statistics of each batch.
    "paper": {
        "criteria": {"unreliable": {"threshold": "recursive"}, "low_informative": {}, "redundant": None},
        "statistics": "device_batch",
        "replay": {"replay_only_steps": False},
        "distillation": {"entropy_weight": 0.0, "kl_weight": 3.0, "cross_entropy_weight": 1.0},
    },
    # The released code with conf/cema.conf: a static threshold and redundancy, three loss terms, statistics sent
    # down too, and a step on replayed samples alone where an edge batch completes no cloud batch.
    "reference": {
        "criteria": {
            "unreliable": {"threshold": "static"},
            "low_informative": None,
            "redundant": {"d_margin": 0.05},
        },
        "statistics": "distributed",
        "replay": {"replay_only_steps": True},
        "distillation": {"entropy_weight": 3.0, "kl_weight": 3.0, "cross_entropy_weight": 1.0},
    },
}


class Replay(Settings):
    """The memory of uploaded samples, one for each student."""

    capacity: Count = 10_000
    """Samples kept, first in, first out; 0 switches replay off."""
    minimum: Annotated[int, Field(ge=1)] = 256
    """Stored samples from which on steps replay."""
    ratio: Count = 3
    """Replayed samples for each new one."""
    replay_only_steps: bool = False
    """Whether an edge batch that completes no cloud batch triggers a student step on replayed samples alone.

    The devices then announce every batch, even an empty one.
    """


class Foundation(Settings):
    """The step on the foundation model."""

    update: bool = True
    """Off, the foundation model teaches as deployed, with its source statistics."""
    learning_rate: Positive = 0.00025


class Distillation(Settings):
    """The step on the cloud's copy of the edge model."""

    learning_rate: Positive = 0.0025
    entropy_weight: NonNegative = 3.0
    """The reference's alpha: factor of the student's own weighted entropy."""
    kl_weight: NonNegative = 3.0
    """The reference's beta: factor of KL(teacher || student)."""
    cross_entropy_weight: NonNegative = 1.0
    """The reference's gamma: factor of the cross-entropy to the teacher's label."""
    temperature: Positive = 1.0


class Cema(Base):
    """A preset, and every ingredient of it as a field that replaces the preset's value."""

    needs_foundation: ClassVar[bool] = True

    name: Literal["cema"] = "cema"
    preset: Literal["paper", "reference"] = "paper"
    """`paper` follows the text, `reference` the released code; fields given beside it win."""
    criteria: Criteria = Field(default_factory=Criteria)
    """The exclusion criteria; null switches one off."""
    e_max_share: Positive = 0.4
    """E_max0 of the losses' weights exp(E_max0 - H), as a share of ln C."""
    statistics: Literal["distributed", "source", "device_batch"] = "device_batch"
    """What a device normalises with, and so what is sent down.

    - distributed: running statistics that the cloud tracks and sends with the affine parameters; the student's start
      with those of the first device's first batch, which are uploaded once;
    - source: the deployed statistics; affine parameters alone are sent;
    - device_batch: those of each batch on the device; affine parameters alone are sent.
    """
    student_scope: Literal["fleet", "group", "device"] = "fleet"
    """Who shares a student: its uploads, replay, and versions. The foundation model is always shared."""
    batch_size: Annotated[int, Field(ge=2)] = 32
    """Uploaded samples in a cloud step."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of both SGD optimisers."""
    replay: Replay = Replay()
    foundation: Foundation = Foundation()
    distillation: Distillation = Distillation()
    publish_every_steps: Annotated[int, Field(ge=1)] = 1
    """K: a version is published after every K steps of a student."""

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        preset = given.get("preset", "paper")
        return _merge(PRESETS.get(preset, {}), given) if isinstance(preset, str) else given

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return CemaStrategy(self, laboratory)


class CemaStrategy:
    """The method in one run: an agent on each device and one in the cloud."""

    def __init__(self, settings: Cema, laboratory: Laboratory) -> None:
        self.settings = settings
        self.laboratory = laboratory
        self.cloud = CemaCloud(settings, laboratory, {d.name: self.student(d) for d in laboratory.devices})
        first_of = {self.student(device): device for device in reversed(laboratory.devices)}
        self.statistics_senders = set(first_of.values()) if settings.statistics == "distributed" else set()

    def student(self, device: DeviceName) -> str:
        """Return the name of the device's scope."""
        return {"fleet": "fleet", "group": device.group, "device": device.name}[self.settings.student_scope]

    def edge(self, device: DeviceName) -> EdgeAgent:
        """Return a device that predicts, excludes and, as the first of its scope, sends its first statistics."""
        from models.criteria._chain import Exclusion  # noqa: PLC0415
        from models.normalisation import Statistics  # noqa: PLC0415
        from models.strategies._edge import ForwardOnly  # noqa: PLC0415

        num_classes = self.laboratory.edge_source.num_classes
        criteria = {name: c.build(num_classes) for name, c in self.settings.criteria if c is not None}
        return ForwardOnly(
            self.laboratory,
            statistics={
                "distributed": Statistics.FIRST,
                "source": Statistics.RUNNING,
                "device_batch": Statistics.BATCH,
            }[self.settings.statistics],
            exclusion=Exclusion(criteria),
            sends_statistics=device in self.statistics_senders,
            announces=self.settings.replay.replay_only_steps,
        )


class CemaCloud:
    """The cloud's side: gather uploads into batches; adapt the foundation model, distil, publish."""

    def __init__(self, settings: Cema, laboratory: Laboratory, student_of: Mapping[str, str]) -> None:
        from models.foundation import FoundationModel  # noqa: PLC0415
        from models.normalisation import Statistics  # noqa: PLC0415
        from models.student import LossWeights, StudentNetwork  # noqa: PLC0415

        self.settings = settings
        self.laboratory = laboratory
        self.student_of = student_of
        place, shape = laboratory.executor.device, laboratory.image_shape
        e_max = settings.e_max_share * math.log(laboratory.edge_source.num_classes)
        self.foundation = FoundationModel(
            laboratory.load_foundation(),
            shape,
            place,
            settings.foundation.learning_rate,
            settings.momentum,
            Statistics.FIRST if settings.foundation.update else Statistics.RUNNING,
        )
        self.network = StudentNetwork(laboratory.load_edge(), shape, place)
        distillation = settings.distillation
        self.weights = LossWeights(
            distillation.entropy_weight,
            distillation.kl_weight,
            distillation.cross_entropy_weight,
            distillation.temperature,
            e_max,
        )
        self.scopes = {name: StudentScope(self, name) for name in dict.fromkeys(student_of.values())}

    def receive(self, upload: Upload) -> list[Step]:
        """Take in a message of statistics, or the kept images of one edge batch."""
        scope = self.scopes[self.student_of[upload.device]]
        if upload.statistics is not None:
            self.laboratory.executor.then(partial(scope.student.start_with, upload.statistics))
        return [] if upload.images is None else scope.receive(upload.images)


class StudentScope:
    """A student with the samples that wait for it and its replay buffer."""

    def __init__(self, cloud: CemaCloud, name: str) -> None:
        from models.replay import ReplayBuffer  # noqa: PLC0415
        from models.student import Student  # noqa: PLC0415

        settings = cloud.settings
        self.cloud = cloud
        self.settings = settings
        self.student = Student(
            name, cloud.network, settings.statistics, settings.distillation.learning_rate, settings.momentum
        )
        self.waiting: list[NDArray[np.uint8]] = []
        self.replay = ReplayBuffer(settings.replay.capacity)
        self.generator = cloud.laboratory.generator(f"cloud/replay/{name}")

    def receive(self, images: NDArray[np.uint8]) -> list[Step]:
        """Store and queue the kept images of one edge batch, (n, H, W, C); return a step for each full batch.

        Where none is full and replay-only steps are on, return one of those.
        """
        size, replay = self.settings.batch_size, self.settings.replay
        self.replay.add(images)
        self.waiting.extend(images)
        steps = []
        while len(self.waiting) >= size:
            batch, self.waiting = self.waiting[:size], self.waiting[size:]
            steps.append(Step(self.student.name, "batch", partial(self._begin_batch, batch)))
        if not steps and replay.replay_only_steps and len(self.replay) > replay.minimum:
            steps.append(Step(self.student.name, "replay", self._begin_replay))
        return steps

    def _begin_batch(self, batch: list[NDArray[np.uint8]]) -> Work:
        import numpy as np  # noqa: PLC0415

        new, settings, foundation = np.stack(batch), self.settings, self.cloud.foundation
        replayed = 0
        images = new
        if len(self.replay) >= settings.replay.minimum:
            replayed = min(settings.replay.ratio * len(new), len(self.replay))
            images = np.concatenate([new, self.replay.sample(replayed, self.generator)])
        flops = self._distillation_flops(len(images))
        if settings.foundation.update:
            flops += len(new) * foundation.training_flops
        return Work(len(new), replayed, flops, partial(self._adapt_and_distil, new, images))

    def _begin_replay(self) -> Work:
        count = min((1 + self.settings.replay.ratio) * self.settings.batch_size, len(self.replay))
        images = self.replay.sample(count, self.generator)
        return Work(0, count, self._distillation_flops(count), partial(self._distil, images))

    def _distillation_flops(self, samples: int) -> int:
        return samples * (self.cloud.foundation.forward_flops + self.cloud.network.training_flops)

    def _adapt_and_distil(self, new: NDArray[np.uint8], images: NDArray[np.uint8]) -> Outcome:
        losses = {}
        if self.settings.foundation.update:
            losses["foundation_loss"] = self.cloud.foundation.adapt(new, self.cloud.weights.e_max)
        outcome = self._distil(images)
        return Outcome(losses | outcome.losses, outcome.version)

    def _distil(self, images: NDArray[np.uint8]) -> Outcome:
        teacher = self.cloud.foundation.teach(images)
        losses = self.student.distil(images, teacher, self.cloud.weights)
        due = self.student.steps % self.settings.publish_every_steps == 0
        return Outcome(losses, self.student.publish() if due else None)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    over = {key: _given(value) for key, value in over.items()}
    merged = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _merge(base[key], over[key])
    return merged


def _given(value: Any) -> Any:
    """Return what was given of settings that were built in Python, so that they merge like a file's."""
    return value.model_dump(exclude_unset=True) if isinstance(value, Settings) else value
