"""What each device gets to see: which images arrive when, and what the world has done to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models import rendering
from models.rendering import Order
from scenarios.world import DirichletLabels
from sim.clock import SECOND, nanoseconds
from sim.schedule import Schedule

if TYPE_CHECKING:
    from models.datasets import Condition, DataSet
    from models.rendering import Renderer, Rendering
    from scenarios.fleet import Group
    from scenarios.world import Shift
    from sim.streams import RandomStreams

MOST_SLOTS = 100
"""Stretches that Dirichlet-distributed labels are spread over, at most."""

RATE_UNIT = 10**15
"""A clock's rate error is counted in parts of this, so that true time is exact arithmetic."""

INDICES_HELD = 256
"""Of the order of its images, a device holds so many at a time, or a batch where that is more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it arrives at a device.

    Attributes:
        number: counts the device's arrivals from 0.
        arrival: in nanoseconds.
        indices: into the data set, int64 (N,).
        labels: int64 (N,).
        shift: the state of the world at arrival, where a ramp is at the severity that it has reached.
        drawn: under a mixture the condition that each sample drew, N of them; None otherwise.

    """

    number: int
    arrival: int
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    shift: Shift
    drawn: tuple[Condition, ...] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The corruption and severity of each sample, N of them."""
        return self.drawn or ((self.shift.corruption, self.shift.severity),) * len(self)

    def only(self, chosen: NDArray[np.bool_]) -> Batch:
        """Return the batch with some of its samples, bool (N,); itself with all of them."""
        if chosen.all():
            return self
        drawn = self.drawn and tuple(name for name, keep in zip(self.drawn, chosen, strict=True) if keep)
        return replace(self, indices=self.indices[chosen], labels=self.labels[chosen], drawn=drawn)

    @property
    def drawn_names(self) -> list[str] | None:
        """The condition that each sample drew, as `fog-5` or `none`; None where all share the shift's own."""
        if self.drawn is None:
            return None
        return ["none" if name == "none" else f"{name}-{severity}" for name, severity in self.drawn]


class DeviceStream:
    """The batches of one device.

    Each image comes once before any comes again. Whatever is random has a random stream of its own, so that changing
    one setting changes nothing else; what a batch's samples draw and the noise on them depend on the batch's number
    alone, whether or not earlier batches were ever looked at.
    """

    def __init__(
        self, device: str, group: Group, data: DataSet, streams: RandomStreams, renderer: Renderer
    ) -> None:
        self.device = device
        self.settings = group.stream
        self.drift_ppm = group.clock.drift_ppm
        self.data = data
        self.streams = streams
        self.renderer = renderer
        self.world = Schedule(device, group, streams)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches in order of arrival, without end."""
        for number, (arrival, indices) in enumerate(zip(self._arrivals(), self._indices(), strict=False)):
            shift = self.world.at(arrival)
            drawn = self._draw(shift, number, len(indices))
            yield Batch(number, arrival, indices, self.data.labels[indices], shift, drawn)

    def order(self, batch: Batch) -> Order:
        """Return what is to be rendered for a batch; rendering it gives the same whenever it is done."""
        generator = partial(self.streams.generator, f"{self.device}/corruption", batch.number)
        return Order(self.data, batch.indices, batch.conditions, generator)

    def render(self, batch: Batch) -> Rendering:
        """Begin to render the batch's images under its conditions."""
        return self.renderer.submit(self.order(batch))

    def damaged(self, batch: Batch) -> dict[str, str]:
        """Return which of the batch's images could not be read, by path, each with the reason."""
        return rendering.damaged(self.data, batch.indices, batch.conditions)

    def _draw(self, shift: Shift, number: int, samples: int) -> tuple[Condition, ...] | None:
        if shift.mix is None:
            return None
        weights = np.array([component.weight for component in shift.mix])
        generator = self.streams.generator(f"{self.device}/mixture", number)
        drawn = generator.choice(len(weights), samples, p=weights / weights.sum())
        return tuple((shift.mix[place].corruption, shift.mix[place].severity) for place in drawn)

    def _arrivals(self) -> Iterator[int]:
        generator = self.streams.generator(f"{self.device}/arrivals")
        rate = self.settings.rate_hz
        if self.settings.arrival == "poisson":
            time = 0
            while True:
                time += nanoseconds(generator.exponential(1 / rate))
                yield time
        phase = generator.random() if self.settings.phase == "random" else 0.0
        del generator  # a fleet of many thousands feels a kilobyte each
        error = self._rate_error()
        for number in count():
            time = round((phase + number) * SECOND / rate)
            yield time + time * error // RATE_UNIT

    def _rate_error(self) -> int:
        """Return by how much of itself the device's second is longer than a true one, in parts of RATE_UNIT."""
        if not self.drift_ppm:
            return 0
        drawn = self.streams.generator(f"{self.device}/clock").standard_normal()
        return round(drawn * self.drift_ppm * (RATE_UNIT // 10**6))

    def _indices(self) -> Iterator[NDArray[np.int64]]:
        size = self.settings.batch_size
        stretches = self._stretches()
        held = next(stretches)
        while True:
            while len(held) < size:
                held = np.concatenate([held, next(stretches)])
            yield held[:size].astype(np.int64)
            held = held[size:]

    def _stretches(self) -> Iterator[NDArray[np.unsignedinteger]]:
        """Yield all indices, epoch after epoch, a stretch at a time.

        For every stretch the whole order is drawn again from its named stream: that costs a fraction of a microsecond
        an image, while a fleet that held all of its orders would need devices times images of memory.
        """
        images = len(self.data.labels)
        length = max(INDICES_HELD, self.settings.batch_size)
        narrow = np.min_scalar_type(images)
        for epoch in count():
            for start in range(0, images, length):
                yield self._epoch(epoch)[start : start + length].astype(narrow)

    def _epoch(self, number: int) -> NDArray[np.int64]:
        """Return every index once, in the order of this time around."""
        generator = self.streams.generator(f"{self.device}/order", number)
        indices: NDArray[np.int64] = generator.permutation(len(self.data.labels))
        wanted = self.settings.labels
        if isinstance(wanted, DirichletLabels):
            generator = self.streams.generator(f"{self.device}/labels", number)
            return indices[correlated(self.data.labels[indices], wanted.dirichlet, generator)]
        if wanted.order == "sorted":
            return indices[np.argsort(self.data.labels[indices], stable=True)]
        return indices


def correlated(
    labels: NDArray[np.int64], concentration: float, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return an order of samples in which labels are correlated in time.

    The stream has S slots, one after another, as many as there are classes but 100 at most. Of class c, which has n_c
    samples, slot s gets a share q_cs, where q_c ~ Dirichlet(concentration, ..., concentration): the samples from
    floor(n_c (q_c1 + ... + q_c(s-1))) on, up to floor(n_c (q_c1 + ... + q_cs)), in the order given. Inside a slot the
    classes follow one another in random order, so that a large concentration too leaves runs of one class.

    Source: L. Yuan et al., Robust Test-Time Adaptation in Dynamic Scenarios, https://arxiv.org/abs/2303.13899, in the
    form of its public code; the shares are those of T. Gong et al., https://arxiv.org/abs/2208.05117.

    Args:
        labels: int64 (N,).
        concentration: positive; the smaller, the fewer slots hold the samples of a class.
        generator: draws the shares, then the order of the classes in every slot.

    Returns:
        Each position of `labels` once, (N,).

    """
    classes, class_of = np.unique(labels, return_inverse=True)
    slots = min(len(classes), MOST_SLOTS)
    shares = generator.dirichlet(np.full(slots, concentration), len(classes))
    turns = generator.permuted(np.tile(np.arange(len(classes)), (slots, 1)), axis=1)
    slot_of = np.empty_like(class_of)
    for place, share in enumerate(shares):
        own = np.flatnonzero(class_of == place)
        ends = (np.cumsum(share)[:-1] * len(own)).astype(np.int64)
        slot_of[own] = np.searchsorted(ends, np.arange(len(own)), side="right")
    return np.lexsort((turns[slot_of, class_of], slot_of))
