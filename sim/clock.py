"""Simulated time in whole nanoseconds: sums of durations are exact, and rounding never reorders events."""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy
from simpy.events import EventPriority

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


class Clock(simpy.Environment):
    """SimPy's environment with time in whole nanoseconds, beginning at 0."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def time(self) -> int:
        """The present, in nanoseconds."""
        return int(self.now)

    def settled(self) -> simpy.Event:
        """Return an event that happens now, after everything else that happens now and all that follows from it."""
        event = simpy.Event(self)
        event._ok, event._value = True, None
        self.schedule(event, priority=AFTER_ALL)
        return event

    def call_at(self, time: int, action: Callable[[], None]) -> None:
        """Call `action` at `time`, which must not be past (ValueError)."""
        event = self.timeout(time - self.time)
        event.callbacks.append(lambda _: action())
