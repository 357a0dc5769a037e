"""A device: batches arrive, wait, are predicted with the version held, and what survives the criteria is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from models.criteria._chain import KEPT
from models.entropy import entropy
from models.strategies._interface import Decision
from sim.clock import Clock, computing_time, seconds
from sim.messages import Message, pack
from sim.world import Batch, DeviceStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.strategies._interface import DeviceName, EdgeAgent
    from scenarios.schema import Group
    from sim.link import Link
    from sim.recorder import Table
    from sim.versions import VersionLog


@dataclass
class Counts:
    """Samples of one device: at any time arrived = predicted + queued + in_progress + dropped."""

    arrived: int = 0
    predicted: int = 0
    queued: int = 0
    in_progress: int = 0
    dropped: int = 0
    correct: int = 0
    uploaded: int = 0


@dataclass(frozen=True)
class Asked:
    """A batch whose prediction is on its way, and when work on it began (nanoseconds)."""

    batch: Batch
    start: int


@dataclass
class Device:
    """One device of the fleet.

    Attributes:
        name: its own and its group's.
        settings: its group's.
        agent: the strategy on this device.
        versions: what the cloud has published to it, or None under a strategy without a cloud.
        uplink: set once the other end exists.
        busy: nanoseconds spent computing.
        flops: operations spent.

    """

    clock: Clock
    name: DeviceName
    settings: Group
    stream: DeviceStream
    agent: EdgeAgent
    versions: VersionLog | None
    table: Table
    uplink: Link = field(init=False)
    counts: Counts = field(default_factory=Counts)
    queue: deque[Batch] = field(default_factory=deque)
    busy: int = 0
    flops: int = 0
    _update: Message | None = None
    _idle: simpy.Event | None = None
    _open: dict[int, Asked] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to take in batches and to work on them."""
        self.clock.process(self._arrivals())
        self.clock.process(self._work())

    def receive(self, message: Message) -> None:
        """Take in an answer, or an update, which replaces one that waits and takes effect between batches."""
        if message.kind == "answer":
            assert message.batch is not None and message.logits is not None
            decision = Decision(message.logits, [KEPT] * message.samples)
            self._complete(self._open.pop(message.batch), decision)
        else:
            self._update = message

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        for batch in self.stream.batches():
            yield self.clock.timeout(batch.arrival - self.clock.time)
            self._accept(batch)

    def _accept(self, batch: Batch) -> None:
        self.counts.arrived += len(batch)
        if len(self.queue) >= self.settings.queue.capacity:
            if self.settings.queue.overflow == "drop_newest":
                self._drop(batch)
                return
            oldest = self.queue.popleft()
            self.counts.queued -= len(oldest)
            self._drop(oldest)
        self.queue.append(batch)
        self.counts.queued += len(batch)
        if self._idle is not None:
            self._idle.succeed()
            self._idle = None

    def _drop(self, batch: Batch) -> None:
        self.counts.dropped += len(batch)
        self._record(batch, "dropped")

    def _work(self) -> Generator[simpy.Event, Any, None]:
        while True:
            while not self.queue:
                self._idle = self.clock.event()
                yield self._idle
            yield from self._predict(self.queue.popleft())

    def _predict(self, batch: Batch) -> Generator[simpy.Event, Any, None]:
        self.counts.queued -= len(batch)
        self.counts.in_progress += len(batch)
        asked = self._open[batch.number] = Asked(batch, self.clock.time)
        yield self.clock.settled()  # an update that arrives at this very moment is in time
        self._swap()
        images = self.stream.render(batch)
        pending = self.agent.forward(images)
        if pending is None:
            self._send_samples(batch, images)
            return
        flops = self.agent.flops(len(batch))
        duration = computing_time(flops, self.settings.compute.gflops, self.settings.compute.overhead_ms)
        yield self.clock.timeout(duration)
        decision = self.agent.conclude(pending.result())
        del self._open[batch.number]
        self.busy += duration
        self.flops += flops
        self._complete(asked, decision, flops)
        self._upload(batch, images, decision)

    def _complete(self, asked: Asked, decision: Decision, flops: int = 0) -> None:
        self.counts.in_progress -= len(asked.batch)
        self.counts.predicted += len(asked.batch)
        self._record(asked.batch, "predicted", asked.start, flops, decision)

    def _swap(self) -> None:
        if self._update is not None:
            update, self._update = self._update, None
            assert update.version is not None and update.state is not None
            self.agent.receive(update.version, update.state)

    def _upload(self, batch: Batch, images: NDArray[np.uint8], decision: Decision) -> None:
        if decision.statistics is not None:
            payload = decision.statistics.astype("<f4").tobytes()
            self._send(Message("statistics", self.name.name, payload, batch=batch.number))
        kept = [image for image, verdict in zip(images, decision.verdicts, strict=True) if verdict == KEPT]
        if kept or decision.announce:
            self._send_samples(batch, kept)

    def _send_samples(self, batch: Batch, images: Iterable[NDArray[np.uint8]]) -> None:
        encoded = [self.settings.upload_codec.encode(image) for image in images]
        self.counts.uploaded += len(encoded)
        self._send(Message("samples", self.name.name, pack(encoded), len(encoded), batch=batch.number))

    def _send(self, message: Message) -> None:
        self.uplink.send(len(message.payload), message)

    def finish(self) -> None:
        """Record the batches that the end of the run leaves undone."""
        for asked in self._open.values():
            self._record(asked.batch, "in_progress", asked.start)
        for batch in self.queue:
            self._record(batch, "queued")

    def _record(
        self,
        batch: Batch,
        status: str,
        start: int | None = None,
        flops: int = 0,
        decision: Decision | None = None,
    ) -> None:
        prediction = correct = entropies = None
        if decision is not None:
            prediction = decision.logits.argmax(1).numpy()
            correct = int((prediction == batch.labels).sum())
            self.counts.correct += correct
            entropies = entropy(decision.logits).numpy()
        version = self.agent.version if start is not None else None
        published = self.versions is not None and start is not None and version is not None
        self.table.add(
            device=self.name.name,
            group=self.name.group,
            batch=batch.number,
            status=status,
            arrival_s=seconds(batch.arrival),
            start_s=None if start is None else seconds(start),
            completion_s=None if decision is None else seconds(self.clock.time),
            corruption=batch.shift.corruption,
            severity=batch.shift.severity,
            version=version,
            version_age_s=seconds(self.versions.age(version, start)) if published else None,  # type: ignore[union-attr,arg-type]
            versions_behind=self.versions.behind(version, start) if published else None,  # type: ignore[union-attr,arg-type]
            samples=len(batch),
            correct=correct,
            kept=None if decision is None else decision.verdicts.count(KEPT),
            flops=flops,
            criteria_state=None if decision is None else list(decision.state.items()),
            image=batch.indices,
            label=batch.labels,
            prediction=prediction,
            entropy=entropies,
            verdict=None if decision is None else decision.verdicts,
        )
