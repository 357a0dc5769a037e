"""A bandwidth recorded in Mahimahi's format: one line for each packet that could be delivered.

Source: R. Netravali et al., Mahimahi: Accurate Record-and-Replay for HTTP, USENIX ATC 2015; the format is described in
its manual page mm-link(1). Each line is a whole number of milliseconds, not below the one before: at that time 1500
bytes can leave the queue, several times where the number comes several times. After the last line the recording starts
again, with the last line's time as the beginning; thus a last line of T lets it repeat every T milliseconds.

Here an opportunity is spread over the millisecond that ends at its time: k of them are a rate of k times 12 Mbit/s in
it. So by every whole millisecond exactly as much can have passed as in Mahimahi. An opportunity at 0, which falls
together with the end of the last millisecond when the recording repeats, counts there.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator

from scenarios.traces import TraceFile
from sim.bandwidths import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from sim.timeline import Piece

MILLISECOND = 1_000_000
OPPORTUNITY = 1500 * 8 * 1000
"""Bits per second in a millisecond with one opportunity."""

_MILLISECONDS = re.compile(r"\d{1,15}", re.ASCII)


def read(path: Path) -> list[int]:
    """Return the milliseconds of all opportunities, blank lines at the end apart; ValueError naming what is wrong."""
    from scenarios.traces import tables  # noqa: PLC0415

    found: list[int] = []
    lines = tables.lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not _MILLISECONDS.fullmatch(text):
            raise ValueError(f"{path}:{number}: {text[:60]!r} must be a whole number of milliseconds")
        time = int(text)
        if found and time < found[-1]:
            raise ValueError(f"{path}:{number}: {time} must be at least {found[-1]}, the time before it")
        found.append(time)
    if not found or found[-1] == 0:
        last = f"not {found[-1]}" if found else "and there is none"
        raise ValueError(f"{path}: the last time must be above 0, {last}")
    return found


class Mahimahi(Base):
    """A bandwidth recorded by Mahimahi's tools; it repeats for ever, with its last time as the period."""

    model: Literal["mahimahi"] = "mahimahi"
    file: TraceFile
    """The file, relative to the scenario's folder, or a packaged trace that `cema list` shows."""

    @field_validator("file")
    @classmethod
    def _can_be_read(cls, file: Path) -> Path:
        read(file)
        return file

    @cached_property
    def _recorded(self) -> tuple[tuple[Piece, ...], int]:
        """The process of one period, and the period in nanoseconds; read once for all links."""
        from sim.bandwidths._periods import joined  # noqa: PLC0415

        times = read(self.file)
        period = times[-1]
        opportunities = Counter(time or period for time in times)
        pieces: list[Piece] = []
        told = 0
        for end in sorted(opportunities):
            if told < end - 1:
                pieces.append((told * MILLISECOND, 0))
            pieces.append(((end - 1) * MILLISECOND, opportunities[end] * OPPORTUNITY))
            told = end
        return joined(pieces), period * MILLISECOND

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Return the recorded process, repeated."""
        from sim.bandwidths._periods import repeated  # noqa: PLC0415

        return repeated(*self._recorded)
