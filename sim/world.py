"""What each device gets to see: which images arrive when, and what the world has done to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models import rendering
from sim.clock import SECOND, nanoseconds

if TYPE_CHECKING:
    from models.datasets import DataSet
    from scenarios.schema import Group, Shift
    from sim.streams import RandomStreams


@dataclass(frozen=True)
class Batch:
    """A batch as it arrives at a device.

    Attributes:
        number: counts the device's arrivals from 0.
        arrival: in nanoseconds.
        indices: into the data set, int64 (N,).
        labels: int64 (N,).
        shift: the state of the world at arrival.

    """

    number: int
    arrival: int
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    shift: Shift

    def __len__(self) -> int:
        return len(self.indices)


class DeviceStream:
    """The batches of one device.

    Images come in random order, each once before any comes again. Order, arrival times and corruption noise have a
    random stream each, so that changing one changes none of the others; the noise of a batch depends on the batch's
    number alone, whether or not earlier batches were ever looked at.
    """

    def __init__(self, device: str, group: Group, data: DataSet, streams: RandomStreams) -> None:
        self.device = device
        self.settings = group.stream
        self.data = data
        self.streams = streams
        self.world = Schedule(group)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches in order of arrival, without end."""
        for number, (arrival, indices) in enumerate(zip(self._arrivals(), self._indices(), strict=False)):
            yield Batch(number, arrival, indices, self.data.labels[indices], self.world.at(arrival))

    def render(self, batch: Batch) -> NDArray[np.uint8]:
        """Return the batch's images under its shift, uint8 (N, H, W, C)."""
        conditions = [(batch.shift.corruption, batch.shift.severity)] * len(batch)
        generator = self.streams.generator(f"{self.device}/corruption", batch.number)
        images, _ = rendering.render(self.data, batch.indices, conditions, generator)
        return images

    def _arrivals(self) -> Iterator[int]:
        generator = self.streams.generator(f"{self.device}/arrivals")
        rate = self.settings.rate_hz
        if self.settings.arrival == "poisson":
            time = 0
            while True:
                time += nanoseconds(generator.exponential(1 / rate))
                yield time
        phase = generator.random() if self.settings.phase == "random" else 0.0
        for number in count():
            yield round((phase + number) * SECOND / rate)

    def _indices(self) -> Iterator[NDArray[np.int64]]:
        waiting = np.empty(0, np.int64)
        for epoch in count():
            generator = self.streams.generator(f"{self.device}/order", epoch)
            waiting = np.concatenate([waiting, generator.permutation(len(self.data.labels))])
            while len(waiting) >= self.settings.batch_size:
                yield waiting[: self.settings.batch_size]
                waiting = waiting[self.settings.batch_size :]


class Schedule:
    """The shifts of a group's world over time. Asked for times that never decrease."""

    def __init__(self, group: Group) -> None:
        self._ahead = cycle(group.schedule) if group.repeat_schedule else iter(group.schedule)
        self._now: Shift = next(self._ahead)
        self._end = self._end_of(self._now, 0)

    def at(self, time: int) -> Shift:
        """Return the shift that holds at `time` nanoseconds; the last one holds for good."""
        while self._end is not None and time >= self._end:
            following = next(self._ahead, None)
            if following is None:
                self._end = None
            else:
                self._now, self._end = following, self._end_of(following, self._end)
        return self._now

    @staticmethod
    def _end_of(shift: Shift, start: int) -> int | None:
        return None if shift.duration_s is None else start + nanoseconds(shift.duration_s)
