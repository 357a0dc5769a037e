"""The cloud: accelerators that take the strategy's steps, the distribution of versions, and crashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from models.codecs._together import decode
from models.strategies._interface import Answer, Outcome, Step, Upload, Version, Work
from sim.accelerators import Accelerators
from sim.checkpoints import Checkpoints
from sim.clock import SECOND, Clock, computing_time, seconds
from sim.crashes import Crashes
from sim.inbox import Inbox
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
    """A step from when it is ready to when it is done; times in nanoseconds.

    Attributes:
        number: counts the run's steps.
        ready_at: when the upload that completed its samples arrived.
        question: the message that it answers, if any.

    """

    number: int
    step: Step
    ready_at: int
    epoch: int
    question: Message | None = None
    work: Work | None = None
    start_at: int = 0
    finish_at: int = 0
    replay_samples: int | None = None
    replay_ages: list[float] | None = None


@dataclass
class Cloud:
    """The cloud in one run.

    Uploads go to the strategy as they arrive or, where there is an inbox, as soon as an accelerator is free for them.
    Steps wait in the order in which they became ready; one begins as soon as an accelerator is free and no earlier
    step of its student is running. A step's models are touched in the order in which steps begin.

    Attributes:
        agent: the strategy in the cloud.
        codecs: each device's upload codecs; where there are several, messages say which.
        downlinks: of each device, and those that several share.
        members: the devices of each student.
        versions: what each student has published.
        image_shape: (H, W, C).
        table, events: the rows of steps, and of what becomes of the cloud itself.
        generator: returns the random stream of a given name.
        receivers: the downlinks over which the versions of each student go; those of its devices where it has none.
        shared: of devices that get versions together with others, the name of that downlink.
        unanswered: called with each question that never will be answered.
        epoch: how often it has begun anew.
        newest: the newest update of each student, as it was sent.
        refused, lost: of each device, samples that arrived and found no room, or were lost to a crash before the
            strategy saw them.

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
    events: Table
    generator: Callable[[str], np.random.Generator]
    receivers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    unanswered: Callable[[Message], None] = lambda _: None
    epoch: int = 0
    waiting: list[Job] = field(default_factory=list)
    running: dict[str, Job] = field(default_factory=dict)
    newest: dict[str, Message] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    _recorded: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.settings
        self.inbox = None if settings.inbox is None else Inbox(settings.inbox)
        self.accelerators = Accelerators(
            self.clock, settings.accelerators, settings.autoscaling, self._note, self._dispatch
        )
        self._student_of = {
            device: student for student, devices in self.members.items() for device in devices
        }
        self._numbers = count()
        self._checkpoints = Checkpoints(self.executor)
        self.crashes = (
            None
            if settings.crashes is None
            else Crashes(self.clock, settings.crashes, self.generator("cloud/crashes"), self)
        )

    def start(self) -> None:
        """Be there, and be ready to crash where that is asked for."""
        self._note("started")
        if self.crashes is not None:
            self._checkpoints.start_over(self.agent)
            self.crashes.start()

    def receive(self, message: Message) -> None:
        """Take in a message from a device and start what it makes possible.

        What was sent before a reset is not learnt from; a device that waits for an answer gets one all the same.
        """
        if self.crashes is not None and self.crashes.down:
            self._lose(message)
            return
        if message.epoch != self.epoch and not message.asks:
            return
        if message.kind == "join":
            self._catch_up(message)
            return
        if self.inbox is None:
            self._take_in(message, self.clock.time)
            self._dispatch()
            return
        self.inbox.add(message, self.clock.time)
        self._dispatch()
        for refused in self.inbox.trim():
            self.refused[refused.device] += refused.samples
            self._leave_unanswered(refused)

    def begin_anew(self, agent: CloudAgent, versions: Mapping[str, VersionLog]) -> None:
        """Go on with a fresh agent; of the steps of the one before it, answers alone are still wanted."""
        self.agent, self.versions = agent, versions
        self.epoch += 1
        self.newest = {}
        self.waiting = [job for job in self.waiting if job.step.kind == "answer"]
        if self.inbox is not None:
            self.inbox.keep(lambda message: message.asks)
        if self.crashes is not None:
            self._checkpoints.start_over(agent)

    def _take_in(self, message: Message, arrival: int) -> None:
        for step in self.agent.receive(self._decode(message, arrival)):
            question = message if step.kind == "answer" else None
            self.waiting.append(Job(next(self._numbers), step, arrival, self.epoch, question))

    def _decode(self, message: Message, arrival: int) -> Upload:
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
        return Upload(message.device, images, None, message.batch, arrival, stale)

    def _dispatch(self) -> None:
        self._begin_ready()
        if self.inbox is not None:
            while self.accelerators.free and (entry := self.inbox.take(self._is_idle)) is not None:
                self._take_in(*entry)
                self._begin_ready()
        if self.settings.autoscaling is not None:
            self.accelerators.scale(self._waiting_for_accelerators())

    def _begin_ready(self) -> None:
        for job in list(self.waiting):
            if not self.accelerators.free:
                return
            if job.step.student not in self.running:
                self.waiting.remove(job)
                self._begin(job)

    def _is_idle(self, device: str) -> bool:
        """Tell whether no step of a device's student is running."""
        return self._student_of[device] not in self.running

    def _waiting_for_accelerators(self) -> int:
        """Count the steps and uploads that nothing but an accelerator is missing for."""
        steps = sum(job.step.student not in self.running for job in self.waiting)
        uploads = [] if self.inbox is None else self.inbox.waiting
        return steps + sum(self._is_idle(message.device) for message, _ in uploads)

    def _begin(self, job: Job) -> None:
        job.work = job.step.begin()
        pending = self.executor.step(job.work.execute)
        duration = computing_time(job.work.flops, self.settings.gflops, self.settings.overhead_ms)
        job.start_at = self.clock.time
        job.finish_at = job.start_at + duration
        self.running[job.step.student] = job
        self.accelerators.take()
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
        if self.running.get(job.step.student) is not job:
            return  # lost to a crash
        outcome = pending.result()
        del self.running[job.step.student]
        self.accelerators.release()
        outcome = self._renumbered(outcome, job)
        self._record(job, "finished", outcome)
        if outcome.version is not None:
            self._publish(outcome.version)
        if outcome.answer is not None:
            self._answer(outcome.answer)
        self._dispatch()

    def _renumbered(self, outcome: Outcome, job: Job) -> Outcome:
        """Leave out a version from before a reset; after a crash, let the numbers go on where they were."""
        version = outcome.version
        if version is None:
            return outcome
        if job.epoch != self.epoch:
            return replace(outcome, version=None)
        if self.crashes is not None and self.crashes.restarts:
            number = len(self.versions[version.student].published)
            return replace(outcome, version=replace(version, number=number))
        return outcome

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
        update = Message("update", "", payload, version=version.number, state=state, epoch=self.epoch)
        self.newest[version.student] = update
        for receiver in self.receivers.get(version.student, self.members[version.student]):
            self._send(update, receiver)

    def _catch_up(self, message: Message) -> None:
        """Send a device that has joined the newest version, unless it says that it holds it, or it is on its way.

        What is on its way to several devices reaches this one too, if it is still there then; or else it joins again.
        """
        update = self.newest.get(self._student_of[message.device])
        if update is None or update.version is None or not self.settings.catches_up:
            return
        held = int.from_bytes(message.payload, "little")
        ways = {message.device, self.shared.get(message.device, message.device)}
        on_its_way = (transfer.content for way in ways for transfer in self.downlinks[way].unfinished)
        if update.version > held and not any(each.state is update.state for each in on_its_way):
            self._send(update, message.device)

    def _send(self, update: Message, receiver: str) -> None:
        message = Message(
            "update", receiver, update.payload, version=update.version, state=update.state, epoch=update.epoch
        )
        self.downlinks[receiver].send(len(message.payload), message)

    def checkpoint(self) -> None:
        """Copy the present state, to be gone back to after a crash."""
        self._checkpoints.take(self.agent, self.newest, self._numbers_running())
        self._note("checkpoint")

    def crash(self) -> None:
        """Lose what runs and waits, and all messages until the restart."""
        self._checkpoints.fall_back(self._numbers_running())
        for job in (*self.running.values(), *self.waiting):
            self._record(job, "lost")
            if job.question is not None:
                self._leave_unanswered(job.question)
        self.running, self.waiting = {}, []
        if self.inbox is not None:
            for message in self.inbox.lose():
                self._lose(message)
        self.accelerators.stop()
        self._note("crashed")

    def _lose(self, message: Message) -> None:
        self.lost[message.device] += message.samples
        self._leave_unanswered(message)

    def _leave_unanswered(self, message: Message) -> None:
        if message.asks:
            self.unanswered(message)

    def restart(self) -> None:
        """Go on from the last checkpoint; the devices keep what they hold."""
        self.agent, self.newest = self._checkpoints.restore()
        self.accelerators.begin_anew()
        self._note("restarted")

    def _numbers_running(self) -> list[int]:
        return [job.number for job in self.running.values()]

    def _note(self, event: str) -> None:
        self.events.add(time_s=seconds(self.clock.time), event=event, accelerators=self.accelerators.paid)

    def finish(self) -> None:
        """Record the steps that the end of the run leaves unfinished."""
        for job in self.running.values():
            self._record(job, "unfinished")

    def _record(self, job: Job, status: str, outcome: Outcome | None = None) -> None:
        student = job.step.student
        number = self._recorded.get(student, 0)
        self._recorded[student] = number + 1
        outcome, work = outcome or Outcome(), job.work
        self.table.add(
            student=student,
            step=number,
            kind=job.step.kind,
            status=status,
            ready_s=seconds(job.ready_at),
            start_s=None if work is None else seconds(job.start_at),
            finish_s=seconds(self.clock.time if status == "lost" else job.finish_at),
            new_samples=None if work is None else work.new_samples,
            replayed_samples=None if work is None else work.replayed_samples,
            flops=work.flops if work is not None and status == "finished" else 0,
            version=None if outcome.version is None else outcome.version.number,
            replay_samples=job.replay_samples,
            replay_age_s=job.replay_ages,
            **{name: outcome.losses.get(name) for name in LOSSES},
        )
