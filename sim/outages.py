"""When something is down: outages that were planned or come at random, independent of all that happens in a run."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from sim.clock import nanoseconds

if TYPE_CHECKING:
    import numpy as np

    from scenarios.network import Outages as OutageSettings
    from scenarios.network import Retry


MOST_DOUBLINGS = 64
"""Times that a pause is multiplied at most, so that no number grows beyond bounds."""


class Outage(NamedTuple):
    """From `down` to before `up`, in nanoseconds; None: for good."""

    down: int
    up: int | None


class Outages:
    """Outages in their order, apart from each other, known as far as anybody has asked: many walk along the same."""

    def __init__(self, ahead: Iterator[Outage]) -> None:
        self._known: list[Outage] = []
        self._ahead = ahead

    def __iter__(self) -> Iterator[Outage]:
        for place in count():
            if place == len(self._known):
                following = next(self._ahead, None)
                if following is None:
                    return
                self._known.append(following)
            yield self._known[place]


class Watch:
    """One who walks along outages, for times that never decrease."""

    __slots__ = ("_ahead", "_outage")

    def __init__(self, outages: Outages) -> None:
        self._ahead = iter(outages)
        self._outage = next(self._ahead, None)

    def next(self, time: int) -> Outage | None:
        """Return the outage at `time`, in nanoseconds, or else the next one; None where there is none any more."""
        while self._outage is not None and self._outage.up is not None and self._outage.up <= time:
            self._outage = next(self._ahead, None)
        return self._outage

    def is_down(self, time: int) -> bool:
        """Tell whether it is down at `time`, in nanoseconds."""
        outage = self.next(time)
        return outage is not None and outage.down <= time


def planned(settings: OutageSettings) -> Iterator[Outage]:
    """Yield the scheduled outages, but for those that are too short for the clock."""
    for down_s, up_s in settings.scheduled_s:
        outage = Outage(nanoseconds(down_s), nanoseconds(up_s))
        if outage.down != outage.up:
            yield outage


def random(mean_up_s: float, mean_down_s: float, generator: np.random.Generator) -> Iterator[Outage]:
    """Yield outages without end: up and down for exponential times, up at first."""
    time = 0
    while True:
        down = time + max(1, nanoseconds(generator.exponential(mean_up_s)))
        time = down + max(1, nanoseconds(generator.exponential(mean_down_s)))
        yield Outage(down, time)


def union(*several: Outages) -> Outages | None:
    """Return when any of several is down; None where there is none of them."""
    if not several:
        return None
    return several[0] if len(several) == 1 else Outages(_united(merge(*several, key=attrgetter("down"))))


def _united(ahead: Iterator[Outage]) -> Iterator[Outage]:
    held = next(ahead, None)
    if held is None:
        return
    begin, end = held
    for down, up in ahead:
        if end is None:
            break
        if down > end:
            yield Outage(begin, end)
            begin, end = down, up
        else:
            end = None if up is None else max(end, up)
    yield Outage(begin, end)


class Attempt(NamedTuple):
    """What follows a failure: the time in nanoseconds, how many attempts there have been, and whether it goes on.

    The time is None where nothing follows before the end.
    """

    time: int | None
    attempts: int
    goes_on: bool


def next_attempt(failed_at: int, attempts: int, retry: Retry, watch: Watch, until: int) -> Attempt:
    """Return when an attempt first finds the link up again, or when the last one has failed.

    The n-th failure is followed by a pause of first_backoff_s * factor^(n-1), at most longest_backoff_s; an attempt
    that finds the link down fails at once. Attempts at `until` (nanoseconds) or later are not looked at. Once pauses
    grow no more, all attempts that meet the same outage are passed over in one step.
    """
    time = failed_at
    while attempts != retry.most_attempts:
        pause_s = retry.first_backoff_s * retry.factor ** min(attempts - 1, MOST_DOUBLINGS)
        pause = nanoseconds(min(pause_s, retry.longest_backoff_s))
        time += pause
        if time >= until:
            return Attempt(None, attempts, True)
        attempts += 1
        outage = watch.next(time)
        if outage is None or outage.down > time:
            return Attempt(time, attempts, True)
        if attempts - 1 > MOST_DOUBLINGS or pause_s >= retry.longest_backoff_s or retry.factor == 1:
            ends = until if outage.up is None else min(outage.up, until)
            more = (ends - 1 - time) // pause
            if retry.most_attempts is not None:
                more = min(more, retry.most_attempts - attempts)
            time += more * pause
            attempts += more
    return Attempt(time, attempts, False)
