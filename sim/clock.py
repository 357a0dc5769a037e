"""Simulated time in whole nanoseconds: sums of durations are exact, and rounding never reorders events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from heapq import heappush
from typing import Any

import simpy
from simpy.events import NORMAL, EventPriority

SECOND = 1_000_000_000
"""Nanoseconds in a second."""


def nanoseconds(seconds: float) -> int:
    """Round a duration in seconds to whole nanoseconds."""
    return round(seconds * SECOND)


def seconds(time: int) -> float:
    """Return nanoseconds as seconds."""
    return time / SECOND


def computing_time(flops: int, gflops: float, overhead_ms: float) -> int:
    """Return how long `flops` operations take, in nanoseconds, rounded up: overhead + flops / throughput.

    One gigaflop a second is one operation a nanosecond.
    """
    return nanoseconds(overhead_ms / 1000) + math.ceil(flops / gflops)


AFTER_ALL = EventPriority(2)  # SimPy's own events have priority 0 (urgent) or 1 (normal)


class Moment(simpy.Event):
    """An event that is certain to happen at a known time, with its callbacks from the start.

    Most events of a run are one callback that nobody else waits for; this leaves out what a timeout has beyond that.

    Attributes:
        callbacks: called with the event; a list where others may add theirs, a tuple where events share it.

    """

    __slots__ = ("callbacks",)
    callbacks: Sequence[Callable[[Any], None]]  # type: ignore[assignment]  # SimPy knows lists alone
    _ok = True
    _value = None

    def __init__(self, callbacks: Sequence[Callable[[Any], None]]) -> None:
        self.callbacks = callbacks


class Clock(simpy.Environment):
    """SimPy's environment with time in whole nanoseconds, beginning at 0.

    Attributes:
        time: the present, in nanoseconds; SimPy alone sets it.

    """

    __slots__ = ("_now",)
    time: int

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    def settled(self) -> simpy.Event:
        """Return an event that happens now, after everything else that happens now and all that follows from it."""
        event = Moment([])
        self.schedule(event, AFTER_ALL)
        return event

    def call_at(self, time: int, action: Callable[[], None]) -> None:
        """Call `action` at `time`, which must not be past (ValueError)."""
        self.schedule_at(Moment((lambda _: action(),)), time)

    def schedule_at(self, event: simpy.Event, time: int) -> None:
        """Let an event happen at `time`, which must not be past (ValueError), after those scheduled before for then."""
        if time < self._now:
            raise ValueError(f"{time} ns is {time - self._now} ns from now: in the past")
        heappush(self._queue, (time, NORMAL, next(self._eid), event))


# The slot by a second name: everything asks for the time, and a property would cost several times as much.
Clock.time = Clock._now  # type: ignore[misc, assignment]  # mypy knows no slots
