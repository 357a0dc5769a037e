"""A plain reference for a link that outages meet: attempt after attempt, in fractions of a nanosecond.

In pause mode a message goes on after an outage. In retry mode an attempt fails as an outage begins, or at once where it
finds the link down; all that was sent in it is wasted, in whole bytes; the n-th failure is followed by a pause of
first * factor^(n-1), at most the longest. Nothing is shared with the code that it judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.sim.fluid_solver import SECOND, Pieces


@dataclass
class Outcome:
    """What becomes of a message; times are nanoseconds, None where they never come.

    Attributes:
        start: its turn.
        end: its last bit leaves, or its last attempt fails.
        attempts: how often its sending began.
        wasted: bytes of attempts that failed.
        failed: whether the last one did.
        idle: intervals from start to end in which the link was down, or it waited for the next attempt.

    """

    start: Fraction | None = None
    end: Fraction | None = None
    attempts: int = 0
    wasted: int = 0
    failed: bool = False
    idle: list[tuple[Fraction, Fraction | None]] = field(default_factory=list)


def bits_between(pieces: Pieces, begin: Fraction, end: Fraction) -> Fraction:
    """Return what can pass from one time to another."""
    ends = [*(start for start, _ in pieces[1:]), None]
    total = Fraction(0)
    for (start, rate), stop in zip(pieces, ends, strict=True):
        until = end if stop is None else min(end, stop)
        total += max(Fraction(0), until - max(begin, start)) * rate / SECOND
    return total


def passed(pieces: Pieces, begin: Fraction, bits: Fraction) -> Fraction | None:
    """Return when so many bits that begin at a time have passed; None if they never do."""
    ends = [*(start for start, _ in pieces[1:]), None]
    left, time = Fraction(bits), Fraction(begin)
    for (_, rate), stop in zip(pieces, ends, strict=True):
        if stop is not None and stop <= time:
            continue
        if left == 0:
            return time
        if rate and (stop is None or left * SECOND <= (stop - time) * rate):
            return time + left * SECOND / rate
        if stop is None:
            return None
        left -= (stop - time) * rate / SECOND
        time = Fraction(stop)
    return time


def retried(
    pieces: Pieces,
    outages: Sequence[tuple[int, int]],
    backoff: tuple[int, int, int, int | None],
    messages: Sequence[tuple[int, int]],
) -> list[Outcome]:
    """Return what becomes of messages that are sent again.

    Args:
        pieces: what the link carries.
        outages: when it is down, disjoint and in order.
        backoff: first pause in nanoseconds, factor, longest pause, most attempts or None.
        messages: time and bytes of each, in order.

    """
    first, factor, longest, most = backoff
    outcomes: list[Outcome] = []
    free: Fraction | None = Fraction(0)
    for queued, size in messages:
        outcome = Outcome()
        outcomes.append(outcome)
        if free is None:
            continue
        time = outcome.start = max(free, Fraction(queued))
        outcome.attempts = 1
        while outcome.end is None:
            ahead = next(((down, up) for down, up in outages if up > time), None)
            end = passed(pieces, time, Fraction(8 * size))
            if ahead is None or (end is not None and end <= ahead[0]):
                outcome.end = end
                break
            failed = max(time, Fraction(ahead[0]))
            outcome.wasted += math.floor(bits_between(pieces, time, failed) / 8)
            if outcome.attempts == most:
                outcome.end, outcome.failed = failed, True
                break
            time = failed + min(first * factor ** (outcome.attempts - 1), longest)
            outcome.idle.append((failed, time))
            outcome.attempts += 1
        free = outcome.end
    return outcomes


def paused(
    pieces: Pieces, outages: Sequence[tuple[int, int]], messages: Sequence[tuple[int, int]]
) -> list[Outcome]:
    """Return what becomes of messages that go on after an outage."""
    changes = sorted({start for start, _ in pieces} | {moment for outage in outages for moment in outage})
    rates = []
    for change in changes:
        is_down = any(down <= change < up for down, up in outages)
        rates.append((change, 0 if is_down else next(r for s, r in reversed(pieces) if s <= change)))
    outcomes: list[Outcome] = []
    free: Fraction | None = Fraction(0)
    for queued, size in messages:
        outcome = Outcome()
        outcomes.append(outcome)
        if free is None:
            continue
        outcome.start, outcome.attempts = max(free, Fraction(queued)), 1
        free = outcome.end = passed(tuple(rates), outcome.start, Fraction(8 * size))
        outcome.idle = [
            (max(outcome.start, Fraction(down)), up)
            for down, up in outages
            if up > outcome.start and (outcome.end is None or down < outcome.end)
        ]
    return outcomes
