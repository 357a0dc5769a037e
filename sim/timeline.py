"""Rates that change over time, in exact arithmetic: when a number of bits is through.

A rate process is an iterator of pieces `(start_ns, bits_per_second)`: the first starts at 0, starts increase, and a
rate holds until the next piece; the last one lasts for good. A process may have no end. At the rate 0 nothing passes.

Work is counted in billionths of a bit, what one bit per second carries in a nanosecond, so that every sum is a whole
number. Only a moment is rounded, once, up to a whole nanosecond: a busy period that began at t with B bits in all ends
at `time_of(work_until(t) + B * SECOND)`, and however many messages it consists of, rounding does not accumulate.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Piece = tuple[int, int]
"""When a rate begins to hold, in nanoseconds, and the rate in bits per second."""

LEAST_FORGOTTEN = 64
"""Past pieces are let go when there are so many, and as many as the others."""


class Timeline:
    """A rate process, read as far as it is asked about.

    Methods that take a time take one that is not before any asked for earlier (ValueError). What is held are the pieces
    from then on up to the furthest one looked at, and at most as many past ones, or 64. A process without end must not
    stay at 0 for ever, or the search for the end of a message has none; whoever describes processes has to forbid it.
    """

    __slots__ = ("_current", "_ended", "_pieces", "_rates", "_starts", "_time", "_works")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        """Begin at time 0; ValueError where the first piece does not."""
        self._pieces = iter(pieces)
        self._starts: list[int] = []
        self._rates: list[int] = []
        self._works: list[int] = []  # done by each start
        self._ended = False
        self._current = 0  # the piece that holds at `_time`
        self._time = 0
        if not self._read() or self._starts[0] != 0:
            raise ValueError(f"a rate process must begin at 0 ns, not at {self._starts or 'none'}")

    def work_until(self, time: int) -> int:
        """Return the work that can be done from 0 to `time` (nanoseconds), in billionths of a bit."""
        self._advance(time)
        current = self._current
        return self._works[current] + self._rates[current] * (time - self._starts[current])

    def time_of(self, work: int) -> int | None:
        """Return the first nanosecond by which `work` can be done; None if it never can.

        `work` counts from time 0, in billionths of a bit. The result is never before the last time asked for.
        """
        works = self._works
        while works[-1] < work and self._read():
            pass
        place = bisect_left(works, work, self._current) - 1
        if place < self._current:
            return self._time  # done when the present piece began
        rate = self._rates[place]
        if rate == 0:  # of the last piece: others that come before more work have done some themselves
            return None
        return max(self._time, self._starts[place] - (works[place] - work) // rate)

    def _advance(self, time: int) -> None:
        """Go on to `time`, with the piece after that of `time` at hand where there is one."""
        if time < self._time:
            raise ValueError(f"{time} ns is before {self._time} ns, which was asked for already")
        self._time = time
        starts = self._starts
        while starts[-1] <= time and self._read():
            pass
        current = bisect_right(starts, time, self._current) - 1
        if current >= LEAST_FORGOTTEN and 2 * current >= len(starts):
            for each in (starts, self._rates, self._works):
                del each[:current]
            current = 0
        self._current = current

    def _read(self) -> bool:
        """Take in one more piece; False where there is none."""
        piece = None if self._ended else next(self._pieces, None)
        if piece is None:
            self._ended = True
            return False
        start, rate = piece
        work = 0
        if self._starts:
            before = self._starts[-1]
            if start <= before:
                raise ValueError(f"pieces must follow one another, but {before} ns is followed by {start} ns")
            work = self._works[-1] + self._rates[-1] * (start - before)
        if rate < 0:
            raise ValueError(f"a rate must be at least 0, not {rate} bits per second")
        self._starts.append(start)
        self._rates.append(rate)
        self._works.append(work)
        return True


def capped(pieces: Iterable[Piece], bits_per_second: int) -> Iterator[Piece]:
    """Yield a rate process that never exceeds `bits_per_second`."""
    for start, rate in pieces:
        yield start, min(rate, bits_per_second)


def interrupted(pieces: Iterable[Piece], outages: Iterable[tuple[int, int | None]]) -> Iterator[Piece]:
    """Yield a rate process that is 0 during outages, each one piece.

    An outage is `(down_ns, up_ns)`: it begins at down_ns and is over at up_ns, or lasts for good where that is None.
    Outages last some time and follow one another without overlap, perhaps without end. Both iterators are read one item
    ahead at most.
    """
    following = iter(pieces)
    _, rate = next(following)
    ahead = next(following, None)
    time = 0  # up to here everything is told
    for down, up in outages:
        if time < down:
            yield time, rate
            while ahead is not None and ahead[0] < down:
                yield ahead
                rate, ahead = ahead[1], next(following, None)
        yield down, 0
        if up is None:
            return
        while ahead is not None and ahead[0] <= up:
            rate, ahead = ahead[1], next(following, None)
        time = up
    yield time, rate
    if ahead is not None:
        yield ahead
        yield from following
