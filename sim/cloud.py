"""The cloud: an inbox, accelerators that take the strategy's steps, and the distribution of versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from models.codecs._together import decode
from models.strategies._interface import Answer, Outcome, Step, Upload, Version, Work
from sim.clock import SECOND, Clock, computing_time, seconds
from sim.messages import Message, unpack
from sim.results import LOSSES, QUARTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.codecs import Base as ImageCodec
    from models.executor import Executor, Pending
    from models.strategies._interface import CloudAgent
    from scenarios.cloud import Cloud as CloudSettings
    from sim.link import Link
    from sim.recorder import Table
    from sim.versions import VersionLog


@dataclass
class Job:
    """A step from when it is ready to when it is done; times in nanoseconds."""

    step: Step
    ready_at: int
    epoch: int
    work: Work | None = None
    start_at: int = 0
    finish_at: int = 0
    replay_samples: int | None = None
    replay_ages: list[float] | None = None


@dataclass
class Cloud:
    """The cloud in one run.

    Steps wait in the order in which they became ready; one begins as soon as an accelerator is free and no earlier
    step of its student is running. A step's models are touched in the order in which steps begin.

    Attributes:
        agent: the strategy in the cloud.
        codecs: each device's upload codecs; where there are several, messages say which.
        downlinks: of each device.
        members: the devices of each student.
        versions: what each student has published.
        epoch: how often it has begun anew.
        image_shape: (H, W, C).

    """

    clock: Clock
    settings: CloudSettings
    agent: CloudAgent
    executor: Executor
    codecs: Mapping[str, Sequence[ImageCodec]]
    downlinks: Mapping[str, Link]
    members: Mapping[str, Sequence[str]]
    versions: Mapping[str, VersionLog]
    image_shape: tuple[int, int, int]
    table: Table
    epoch: int = 0
    waiting: list[Job] = field(default_factory=list)
    running: dict[str, Job] = field(default_factory=dict)
    _recorded: dict[str, int] = field(default_factory=dict)

    def receive(self, message: Message) -> None:
        """Take in a message from a device and start what it makes possible.

        What was sent before a reset is not learnt from; a device that waits for an answer gets one all the same.
        """
        if message.kind == "join" or (message.epoch != self.epoch and not message.asks):
            return
        for step in self.agent.receive(self._decode(message)):
            self.waiting.append(Job(step, self.clock.time, self.epoch))
        self._dispatch()

    def begin_anew(self, agent: CloudAgent, versions: Mapping[str, VersionLog]) -> None:
        """Go on with a fresh agent; of the steps of the one before it, answers alone are still wanted."""
        self.agent, self.versions = agent, versions
        self.epoch += 1
        self.waiting = [job for job in self.waiting if job.step.kind == "answer"]

    def _decode(self, message: Message) -> Upload:
        if message.kind == "statistics":
            return Upload(message.device, statistics=np.frombuffer(message.payload, "<f4").astype(np.float32))
        assert message.batch is not None
        decoded = message.images
        if decoded is None:
            codecs = self.codecs[message.device]
            level, start = (message.payload[0], 1) if len(codecs) > 1 else (0, 0)
            decoded = decode(codecs[level], unpack(message.payload, start), self.image_shape)
        images = np.empty((message.samples, *self.image_shape), np.uint8)
        for image, content in zip(images, decoded, strict=True):
            image[...] = content
        stale = message.epoch != self.epoch
        return Upload(message.device, images, None, message.batch, self.clock.time, stale)

    def _dispatch(self) -> None:
        for job in list(self.waiting):
            if len(self.running) >= self.settings.accelerators:
                return
            if job.step.student not in self.running:
                self.waiting.remove(job)
                self._begin(job)

    def _begin(self, job: Job) -> None:
        job.work = job.step.begin()
        pending = self.executor.step(job.work.execute)
        duration = computing_time(job.work.flops, self.settings.gflops, self.settings.overhead_ms)
        job.start_at = self.clock.time
        job.finish_at = job.start_at + duration
        self.running[job.step.student] = job
        if job.work.remembered is not None:
            job.replay_samples = len(job.work.remembered)
            job.replay_ages = self._ages(job.work.remembered)
        self.clock.call_at(job.finish_at, lambda: self._finish(job, pending))

    def _ages(self, arrivals: NDArray[np.int64]) -> list[float] | None:
        """Return the quantiles at QUARTERS of how long ago samples arrived, in seconds; None without samples."""
        if not len(arrivals):
            return None
        return [float(age) for age in np.quantile((self.clock.time - arrivals) / SECOND, QUARTERS)]

    def _finish(self, job: Job, pending: Pending[Outcome]) -> None:
        outcome = pending.result()
        del self.running[job.step.student]
        if job.epoch != self.epoch:
            outcome = replace(outcome, version=None)
        self._record(job, outcome)
        if outcome.version is not None:
            self._publish(outcome.version)
        if outcome.answer is not None:
            self._answer(outcome.answer)
        self._dispatch()

    def _answer(self, answer: Answer) -> None:
        payload = answer.logits.argmax(1).numpy().astype("<u2").tobytes()
        message = Message(
            "answer", answer.device, payload, len(answer.logits), batch=answer.batch, logits=answer.logits
        )
        self.downlinks[answer.device].send(len(payload), message)

    def _publish(self, version: Version) -> None:
        self.versions[version.student].publish(version.number, self.clock.time)
        codec = self.settings.update_codec
        payload = codec.encode(version.state, version.source, version.pieces)
        state = version.whole(codec.decode(payload, version.source, version.pieces))
        for device in self.members[version.student]:
            message = Message(
                "update", device, payload, version=version.number, state=state, epoch=self.epoch
            )
            self.downlinks[device].send(len(payload), message)

    def finish(self) -> None:
        """Record the steps that the end of the run leaves unfinished."""
        for job in self.running.values():
            self._record(job, Outcome(), finished=False)

    def _record(self, job: Job, outcome: Outcome, finished: bool = True) -> None:
        student = job.step.student
        number = self._recorded.get(student, 0)
        self._recorded[student] = number + 1
        assert job.work is not None
        self.table.add(
            student=student,
            step=number,
            kind=job.step.kind,
            ready_s=seconds(job.ready_at),
            start_s=seconds(job.start_at),
            finish_s=seconds(job.finish_at),
            new_samples=job.work.new_samples,
            replayed_samples=job.work.replayed_samples,
            flops=job.work.flops if finished else 0,
            version=None if outcome.version is None else outcome.version.number,
            replay_samples=job.replay_samples,
            replay_age_s=job.replay_ages,
            **{name: outcome.losses.get(name) for name in LOSSES},
        )
