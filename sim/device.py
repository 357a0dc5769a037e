"""A device: batches arrive, wait, are predicted with the version held, and what survives the criteria is sent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from models.criteria._chain import KEPT
from models.strategies._interface import Decision
from sim.batch_rows import Asked, Concluded, batch_row
from sim.clock import Clock, computing_time, nanoseconds
from sim.life import Presence, live
from sim.messages import joining
from sim.uploads import Uploads
from sim.world import Batch, DeviceStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.executor import Forward
    from models.rendering import Rendering
    from models.strategies._interface import DeviceName, EdgeAgent
    from scenarios.fleet import Group
    from sim.budget import Budget
    from sim.conclusions import Conclusions
    from sim.life import Absence
    from sim.link import Link
    from sim.messages import Message
    from sim.recorder import Table
    from sim.versions import VersionLog


@dataclass(slots=True)
class Counts:
    """Samples of one device.

    At any time arrived = predicted + queued + in_progress + dropped + damaged + missed + lost.
    Of those that are kept, all but what a reset or a crash overtakes is uploaded, lost_by_uplink, withheld or waiting.
    """

    arrived: int = 0
    predicted: int = 0
    queued: int = 0
    in_progress: int = 0
    dropped: int = 0
    damaged: int = 0
    missed: int = 0
    lost: int = 0
    correct: int = 0
    uploaded: int = 0
    lost_by_uplink: int = 0
    withheld: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Device:
    """One device of the fleet.

    Attributes:
        name: its own and its group's.
        settings: its group's.
        agent: the strategy on this device.
        versions: what the cloud has published to it, or None under a strategy without a cloud.
        conclusions: the fleet's that can wait.
        deploy: returns a fresh agent, for a device that lost its own.
        history: when it is away; None: never.
        budget: what it uploads is charged to, or None.
        uplink, uploads: what it sends over, and what turns what it keeps into messages; from `connect` on.
        epoch: how often it has begun anew.
        damaged: images that could not be read, by path, each with the reason.
        presence: whether it is there, and for how long it has been.
        busy: nanoseconds spent computing, those of passes that a crash or the run's end cut short too.
        flops: operations spent.

    """

    clock: Clock
    name: DeviceName
    settings: Group
    stream: DeviceStream
    agent: EdgeAgent
    versions: VersionLog | None
    table: Table
    conclusions: Conclusions
    deploy: Callable[[], EdgeAgent] | None = None
    history: Iterator[Absence] | None = None
    budget: Budget | None = None
    uploads: Uploads = field(init=False)
    uplink: Link = field(init=False)
    counts: Counts = field(default_factory=Counts)
    queue: list[tuple[Batch, Rendering]] = field(default_factory=list)
    epoch: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    presence: Presence = field(default_factory=Presence)
    busy: int = 0
    flops: int = 0
    _update: Message | None = None
    _idle: simpy.Event | None = None
    _worker: simpy.Process = field(init=False)
    _open: dict[int, Asked] = field(default_factory=dict)
    _pass: tuple[int, int] | None = None  # start and end of the forward pass that it is at, in nanoseconds

    def connect(self, uplink: Link, downlink: Link) -> None:
        """Give it its uplink, once the other end exists; it learns what never arrives over either link."""
        self.uplink = uplink
        uplink.gone = self._not_sent
        downlink.gone = self._not_received
        self.uploads = Uploads(self.name.name, self.settings, self.counts, uplink, self.budget)

    def start(self) -> None:
        """Begin to take in batches and to work on them."""
        if self.history is not None:
            self.clock.process(live(self.clock, self.history, self))
        self.clock.process(self._arrivals())
        self._worker = self.clock.process(self._work())

    def receive(self, message: Message) -> None:
        """Take in an answer, or an update, which replaces one that waits and takes effect between batches.

        What arrives while it is away is lost, and with an answer its batch. An update that a newer one has overtaken,
        on another way, is of no use any more.
        """
        if message.kind == "answer":
            assert message.batch is not None and message.logits is not None
            asked = self._open.pop(message.batch, None)
            if asked is None:
                return  # lost in a crash
            if self.presence.away:
                self._lose(asked)
                return
            decision = Decision(message.logits, [KEPT] * message.samples)
            self._complete(asked)
            self._record(asked.batch, "predicted", asked, Concluded(self.clock.time, decision))
        elif message.epoch == self.epoch and not self.presence.away and not self._is_overtaken(message):
            self._update = message

    @property
    def _newest(self) -> int | None:
        """The newest version it has got; None under a strategy without versions."""
        return self.agent.version if self._update is None else self._update.version

    def _is_overtaken(self, update: Message) -> bool:
        return update.version is not None and update.version <= (self._newest or 0)

    def leave(self) -> None:
        """Be away from now on: finish the batch in progress and begin no other."""
        self.presence.leave(self.clock.time if self._pass is None else self._pass[1])
        self.uploads.pause()

    def crash(self) -> None:
        """Be away from now on; what is in progress is lost, and all else where the state is."""
        self.presence.leave(self.clock.time)
        self.uploads.pause()
        self._cut_short()
        self._worker.interrupt()
        for asked in self._open.values():
            self._lose(asked)
        self._open.clear()
        self.uploads.stop_asking()
        assert self.settings.life is not None
        if self.settings.life.state == "lost":
            self._forget()

    def come_back(self) -> None:
        """Be there again, go on with what waits, and tell a cloud that publishes versions which one is held."""
        self.presence.come_back(self.clock.time)
        self.uploads.resume()
        self._wake()
        newest = self._newest
        if self.versions is not None and newest is not None:
            message = joining(self.name.name, newest, self.epoch)
            self.uplink.send(len(message.payload), message)

    def _not_sent(self, message: Message) -> None:
        """Take back that samples were uploaded, and wait no longer for an answer to a question."""
        self.counts.uploaded -= message.samples
        self.counts.lost_by_uplink += message.samples
        if message.asks:
            self.give_up_question(message)

    def _not_received(self, message: Message) -> None:
        if message.kind == "answer":
            self.give_up_question(message)

    def give_up_question(self, message: Message) -> None:
        """Lose the batch that a question or an answer is about, unless a crash has done so."""
        assert message.batch is not None
        asked = self._open.pop(message.batch, None)
        if asked is not None:
            self._lose(asked)

    def _lose(self, asked: Asked) -> None:
        self.counts.in_progress -= len(asked.batch)
        self.counts.lost += len(asked.batch)
        self._record(asked.batch, "lost", asked)

    def _forget(self) -> None:
        """Begin as deployed, with an empty queue."""
        for batch, _ in self.queue:
            self.counts.queued -= len(batch)
            self.counts.lost += len(batch)
            self._record(batch, "lost")
        self.queue.clear()
        self._update = None
        self.uploads.forget()
        self.uplink.forget()
        assert self.deploy is not None
        self.agent = self.deploy()

    def begin_anew(self, agent: EdgeAgent, versions: VersionLog | None) -> None:
        """Go on with a fresh agent; batches that the one before it is predicting are its own to the end."""
        self.agent, self.versions = agent, versions
        self._update = None
        self.epoch += 1
        self.uploads.begin_anew(self.epoch)

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        for batch in self.stream.batches():
            rendering = self.stream.render(batch)
            yield self.clock.timeout(batch.arrival - self.clock.time)
            self._accept(batch, rendering)

    def _accept(self, batch: Batch, rendering: Rendering) -> None:
        self.counts.arrived += len(batch)
        if self.presence.away:
            self.counts.missed += len(batch)
            self._record(batch, "missed")
            return
        if len(self.queue) >= self.settings.queue.capacity:
            if self.settings.queue.overflow == "drop_newest":
                self._drop(batch)
                return
            oldest, _ = self.queue.pop(0)
            self.counts.queued -= len(oldest)
            self._drop(oldest)
        self.queue.append((batch, rendering))
        self.counts.queued += len(batch)
        self._wake()

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.succeed()
            self._idle = None

    def _drop(self, batch: Batch) -> None:
        self.counts.dropped += len(batch)
        self._record(batch, "dropped")

    def _work(self) -> Generator[simpy.Event, Any, None]:
        while True:
            try:
                while self.presence.away or not self.queue:
                    self._idle = self.clock.event()
                    yield self._idle
                batch, rendering = self.queue.pop(0)
                self.counts.queued -= len(batch)
                if self._is_late(batch):
                    self._drop(batch)
                else:
                    yield from self._predict(batch, rendering)
            except simpy.Interrupt:  # a crash: its batch is lost already
                continue

    def _is_late(self, batch: Batch) -> bool:
        limit = self.settings.queue.skip_after_s
        return limit is not None and self.clock.time - batch.arrival > nanoseconds(limit)

    def _predict(self, whole: Batch, rendering: Rendering) -> Generator[simpy.Event, Any, None]:
        self.counts.in_progress += len(whole)
        start = self.clock.time
        self._open[whole.number] = self._asked(whole, start)
        yield self.clock.settled()  # an update that arrives at this very moment is in time
        self._swap()
        images, readable = rendering.result()
        batch = whole.only(readable)
        self._leave_out(whole, len(whole) - len(batch))
        asked = self._open[batch.number] = self._asked(batch, start, len(whole) - len(batch))
        agent = self.agent
        if not len(batch):
            del self._open[batch.number]
            self._record(batch, "damaged", asked)
            return
        pending = agent.forward(images)
        if pending is None:
            self.uploads.ask(batch.number, images)
            return
        flops = agent.flops(len(batch))
        duration = computing_time(flops, self.settings.compute.gflops, self.settings.compute.overhead_ms)
        self._pass = self.clock.time, self.clock.time + duration
        yield self.clock.timeout(duration)
        self._pass = None
        forward = pending.result() if agent.consequential else None
        del self._open[batch.number]
        self.busy += duration
        self.flops += flops
        self._complete(asked)
        completion = self.clock.time

        def conclude(forward: Forward) -> Decision:
            decision = agent.conclude(forward)
            concluded = Concluded(completion, decision, flops, forward.forward_pass)
            self._record(batch, "predicted", asked, concluded)
            return decision

        if forward is None:
            self.conclusions.put_off(
                len(batch), pending, conclude, lambda: self._give_up(asked, flops, duration)
            )
        else:
            self._upload(asked, images, conclude(forward))

    def _asked(self, batch: Batch, start: int, damaged: int = 0) -> Asked:
        return Asked(batch, start, damaged, self.agent, self.versions, self.agent.version)

    def _leave_out(self, batch: Batch, damaged: int) -> None:
        if damaged:
            self.counts.in_progress -= damaged
            self.counts.damaged += damaged
            self.damaged |= self.stream.damaged(batch)

    def _complete(self, asked: Asked) -> None:
        self.counts.in_progress -= len(asked.batch)
        self.counts.predicted += len(asked.batch)

    def _give_up(self, asked: Asked, flops: int, duration: int) -> None:
        """Take back that a batch was predicted."""
        self.counts.predicted -= len(asked.batch)
        self.counts.in_progress += len(asked.batch)
        self.flops -= flops
        self.busy -= duration
        self._record(asked.batch, "in_progress", asked)

    def _swap(self) -> None:
        if self._update is not None:
            update, self._update = self._update, None
            assert update.version is not None and update.state is not None
            self.agent.receive(update.version, update.state)

    def _upload(self, asked: Asked, images: NDArray[np.uint8], decision: Decision) -> None:
        if asked.agent is self.agent:  # one begun before a reset: nobody waits for it
            self.uploads.offer(asked.batch, images, decision)

    def _cut_short(self) -> None:
        """Count the time of a pass that does not come to its end."""
        if self._pass is not None:
            self.busy += self.clock.time - self._pass[0]
            self._pass = None

    def finish(self) -> None:
        """Record the batches that the end of the run leaves undone, and the time that went into one of them."""
        self._cut_short()
        for asked in self._open.values():
            self._record(asked.batch, "in_progress", asked)
        for batch, _ in self.queue:
            self._record(batch, "queued")

    def _record(
        self, batch: Batch, status: str, asked: Asked | None = None, concluded: Concluded | None = None
    ) -> None:
        row = batch_row(self.name, batch, status, asked, concluded)
        self.counts.correct += row["correct"] or 0
        self.table.add(**row)
