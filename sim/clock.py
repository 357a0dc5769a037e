"""Simulated time: whole nanoseconds, so that sums of durations are exact and the order of events never depends on
rounding."""

from __future__ import annotations

import math

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
