"""The cloud's side of CEMA (https://arxiv.org/abs/2402.17316): adapt the foundation model, distil, replay, publish.

Strategies that differ in what the devices upload share it.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from models.strategies._cloud import CloudLearning, ScopedStrategy, Waiting, published
from models.strategies._interface import Outcome, Step, Work
from scenarios.settings import NonNegative, Positive, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.distillation import LossWeights
    from models.strategies._interface import Laboratory

Count = Annotated[int, Field(ge=0)]


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
    entropy_weight: NonNegative = 0.0
    """The reference's alpha, 3 in its presets: factor of the student's own weighted entropy."""
    kl_weight: NonNegative = 3.0
    """The reference's beta: factor of KL(teacher || student)."""
    cross_entropy_weight: NonNegative = 1.0
    """The reference's gamma: factor of the cross-entropy to the teacher's label."""
    temperature: Positive = 1.0

    def weights(self, e_max: float) -> LossWeights:
        """Return the loss's factors, with E_max0 of the samples' weights in nats."""
        from models.distillation import LossWeights  # noqa: PLC0415

        return LossWeights(
            self.entropy_weight, self.kl_weight, self.cross_entropy_weight, self.temperature, e_max
        )


class DistillingSettings(CloudLearning):
    """Settings of strategies whose cloud distils a foundation model; the defaults are those of the paper's text."""

    needs_foundation: ClassVar[bool] = True

    e_max_share: Positive = 0.4
    """E_max0 of the losses' weights exp(E_max0 - H), as a share of ln C."""
    replay: Replay = Replay()
    foundation: Foundation = Foundation()
    distillation: Distillation = Distillation()


D = TypeVar("D", bound=DistillingSettings)


class DistillingStrategy(ScopedStrategy[D]):
    """One foundation model for the whole fleet and a student for each scope, in one run."""

    def __init__(self, settings: D, laboratory: Laboratory) -> None:
        from models.foundation import FoundationModel  # noqa: PLC0415
        from models.normalisation import Statistics  # noqa: PLC0415
        from models.student import StudentNetwork  # noqa: PLC0415

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
        self.weights = settings.distillation.weights(e_max)
        super().__init__(settings, laboratory)

    @property
    def announces(self) -> bool:  # type: ignore[override]
        """The reference takes a step on replayed samples for every edge batch, so that it must know of each."""
        return self.settings.replay.replay_only_steps

    def scope(self, name: str) -> DistillingScope:
        """Return a fresh scope."""
        return DistillingScope(self, name)


class DistillingScope:
    """A student with the samples that wait for it and its replay buffer."""

    def __init__(self, strategy: DistillingStrategy[Any], name: str) -> None:
        import torch  # noqa: PLC0415

        from models.replay import ReplayBuffer  # noqa: PLC0415
        from models.student import Normalising, Student  # noqa: PLC0415

        settings = strategy.settings
        self.strategy = strategy
        self.settings = settings
        self.student = Student(
            name,
            strategy.network,
            Normalising.of(settings.statistics),
            partial(torch.optim.SGD, lr=settings.distillation.learning_rate, momentum=settings.momentum),
        )
        self.waiting = Waiting(settings.batch_size)
        self.replay = ReplayBuffer(settings.replay.capacity)
        self.generator = strategy.laboratory.generator(f"cloud/replay/{name}")

    def receive(self, images: NDArray[np.uint8], arrival: int) -> list[Step]:
        """Store and queue the kept images of one edge batch, (n, H, W, C); return a step for each full batch.

        Where none is full and replay-only steps are on, return one of those.
        """
        replay = self.settings.replay
        self.replay.add(images, arrival)
        steps = [
            Step(self.student.name, "batch", partial(self._begin_batch, batch))
            for batch in self.waiting.add(images)
        ]
        if not steps and replay.replay_only_steps and len(self.replay) > replay.minimum:
            steps.append(Step(self.student.name, "replay", self._begin_replay))
        return steps

    def _begin_batch(self, new: NDArray[np.uint8]) -> Work:
        import numpy as np  # noqa: PLC0415

        settings, foundation = self.settings, self.strategy.foundation
        replayed = 0
        images = new
        if len(self.replay) >= settings.replay.minimum:
            replayed = min(settings.replay.ratio * len(new), len(self.replay))
            images = np.concatenate([new, self.replay.sample(replayed, self.generator)])
        flops = self._distillation_flops(len(images))
        if settings.foundation.update:
            flops += len(new) * foundation.training_flops
        execute = partial(self._adapt_and_distil, new, images)
        return Work(len(new), replayed, flops, execute, self.replay.arrivals)

    def _begin_replay(self) -> Work:
        count = min((1 + self.settings.replay.ratio) * self.settings.batch_size, len(self.replay))
        images = self.replay.sample(count, self.generator)
        flops = self._distillation_flops(count)
        return Work(0, count, flops, partial(self._distil, images), self.replay.arrivals)

    def _distillation_flops(self, samples: int) -> int:
        return samples * (self.strategy.foundation.forward_flops + self.strategy.network.training_flops)

    def _adapt_and_distil(self, new: NDArray[np.uint8], images: NDArray[np.uint8]) -> Outcome:
        losses = {}
        if self.settings.foundation.update:
            losses["foundation_loss"] = self.strategy.foundation.adapt(new, self.strategy.weights.e_max)
        outcome = self._distil(images)
        return Outcome(losses | outcome.losses, outcome.version)

    def _distil(self, images: NDArray[np.uint8]) -> Outcome:
        teacher = self.strategy.foundation.teach(images)
        _, losses = self.student.learn(images, self.strategy.weights.objective(teacher))
        return published(self.student, losses, self.settings.publish_every_steps)
