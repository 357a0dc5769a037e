"""The life of a device: when it is there, when it leaves and when it crashes.

All of it is drawn before and beside the run, from the device's own stream `<device>/life`: whatever happens otherwise,
the device and each direction of its link, which walk it on their own, find the same moments.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import simpy
from simpy.events import URGENT

from sim.clock import Clock, Moment, nanoseconds
from sim.streams import spawn

if TYPE_CHECKING:
    import numpy as np

    from scenarios.life import Life, Spread


class Absence(NamedTuple):
    """A device is away from `begin` on and back at `end` (None: never), in nanoseconds; `crashed` says why."""

    begin: int
    end: int | None
    crashed: bool


def history(life: Life, generator: Callable[[], np.random.Generator], until: int) -> Iterator[Absence]:
    """Yield when a device is away, in order and apart from each other, up to the run's end `until` (nanoseconds).

    What would end at `until` or later has no end. A device that is away already neither leaves nor crashes: the
    moments drawn meanwhile are void. So random crashes are the points of a Poisson process, of which a device meets
    those that find it there, and changing how long it takes to restart changes no crash of one that is up by then.
    """
    # Streams of their own, so that none disturbs the others.
    joining, leaving, coming_and_going, crashing, restarting = spawn(generator(), 5)
    joins = _moment(life.joins_s, joining)
    late = [Absence(0, joins, crashed=False)] if joins else []
    leaves = [] if life.leaves_s is None else [Absence(_moment(life.leaves_s, leaving), None, crashed=False)]
    reasons = [
        _crashes(life, crashing, restarting),  # first: which of two at one moment counts makes a difference
        leaves,
        _stays(life, joins, coming_and_going),
    ]
    return _until(until, _apart(chain(late, merge(*reasons, key=lambda absence: absence.begin))))


def absences(
    life: Life, generator: Callable[[], np.random.Generator], until: int
) -> Iterator[tuple[int, int | None]]:
    """Yield begin and end alone of what `history` yields: when nothing leaves or reaches the device."""
    return ((absence.begin, absence.end) for absence in history(life, generator, until))


def _moment(spread: Spread, generator: np.random.Generator) -> int:
    return nanoseconds(generator.uniform(spread.from_s, spread.to_s))


def _exponential(mean_s: float, generator: np.random.Generator) -> int:
    return max(1, nanoseconds(generator.exponential(mean_s)))


def _stays(life: Life, joins: int, generator: np.random.Generator) -> Iterator[Absence]:
    """Yield what lies between stays of exponential length."""
    if life.mean_present_s is None or life.mean_absent_s is None:
        return
    time = joins
    while True:
        begin = time + _exponential(life.mean_present_s, generator)
        time = begin + _exponential(life.mean_absent_s, generator)
        yield Absence(begin, time, crashed=False)


def _crashes(life: Life, crashing: np.random.Generator, restarting: np.random.Generator) -> Iterator[Absence]:
    """Yield what follows each crash, listed or random."""
    for begin in merge(map(nanoseconds, life.crashes_s), _points(life.mean_up_s, crashing)):
        if life.mean_down_s is None:
            assert life.restart_s is not None  # the schema asks for one of the two
            down = nanoseconds(life.restart_s)
        else:
            down = _exponential(life.mean_down_s, restarting)
        yield Absence(begin, begin + down, crashed=True)


def _points(mean_s: float | None, generator: np.random.Generator) -> Iterator[int]:
    """Yield the points of a Poisson process; none without a mean distance."""
    time = 0
    while mean_s is not None:
        time += _exponential(mean_s, generator)
        yield time


def _apart(ordered: Iterable[Absence]) -> Iterator[Absence]:
    """Join absences that overlap or touch, ordered by their beginnings; a crash that finds nobody there is void."""
    current: Absence | None = None
    for absence in ordered:
        if current is None:
            current = absence
            continue
        end = current.end
        if end is None:
            break
        if absence.begin > end:
            yield current
            current = absence
        elif not absence.crashed and (absence.end is None or absence.end > end):
            current = current._replace(end=absence.end)
    if current is not None:
        yield current


def _until(end: int, ordered: Iterable[Absence]) -> Iterator[Absence]:
    for absence in ordered:
        if absence.begin >= end:
            return
        if absence.end is None or absence.end >= end:
            yield absence._replace(end=None)
            return
        yield absence


@dataclass(slots=True)
class Presence:
    """Whether a device is there, and for how long it has been; times are nanoseconds.

    Attributes:
        away: whether it is.
        since: when the last absence began, which is after a device has left that finishes a batch first.
        absent: sum of the absences that are over.

    """

    away: bool = False
    since: int = 0
    absent: int = 0

    def leave(self, time: int) -> None:
        """Be away, and count it from `time` on."""
        self.away, self.since = True, time

    def come_back(self, now: int) -> None:
        """Be there again."""
        self.absent = now - self.present(now)
        self.away = False

    def present(self, now: int) -> int:
        """Return for how long it has been there."""
        return now - self.absent - (max(0, now - self.since) if self.away else 0)


class Living(Protocol):
    """What leaves, crashes and comes back."""

    def leave(self) -> None:
        """Be away from now on, in good order."""

    def crash(self) -> None:
        """Be away from now on, without warning."""

    def come_back(self) -> None:
        """Be there again."""


def live(clock: Clock, absences: Iterable[Absence], device: Living) -> Generator[simpy.Event, Any, None]:
    """Tell a device of its absences, each before all else that happens at its moment."""
    for absence in absences:
        yield _first_at(clock, absence.begin)
        if absence.crashed:
            device.crash()
        else:
            device.leave()
        if absence.end is not None:
            yield _first_at(clock, absence.end)
            device.come_back()


def _first_at(clock: Clock, time: int) -> simpy.Event:
    event = Moment([])
    clock.schedule(event, URGENT, time - clock.time)
    return event
