"""A bandwidth recorded in a CSV file with the columns time_s and mbps."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationInfo, field_validator

from scenarios.settings import Duration, number_text
from scenarios.traces import TraceFile
from sim.bandwidths import Base, bits_per_second

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from sim.timeline import Piece


def read(path: Path) -> list[Piece]:
    """Read a process from lines `time_s,mbps` below that header; ValueError naming what is wrong.

    Each bandwidth holds until the next line's time; times are rounded to nanoseconds and start at 0.
    """
    from scenarios.traces import tables  # noqa: PLC0415
    from sim.clock import nanoseconds, seconds  # noqa: PLC0415

    pieces: list[Piece] = []
    for place, (time_s, mbps) in tables.rows(path, "time_s,mbps"):
        start = nanoseconds(time_s)
        if not pieces and start != 0:
            raise ValueError(f"{place}: time_s {number_text(time_s)} must be 0: a recording begins at 0")
        if pieces and start <= pieces[-1][0]:
            last = number_text(seconds(pieces[-1][0]))
            raise ValueError(f"{place}: time_s {number_text(time_s)} must be above {last}")
        pieces.append((start, bits_per_second(mbps)))
    if not any(rate for _, rate in pieces):
        raise ValueError(f"{path}: mbps must be at least 1e-6 in some line, or nothing ever passes")
    return pieces


class Csv(Base):
    """A bandwidth over time from a file with the header `time_s,mbps`; each line holds until the next one's time.

    The first time must be 0, and times must increase. The last line holds for good, unless repeat_every_s is given.
    """

    model: Literal["csv"] = "csv"
    file: TraceFile
    """The file, relative to the scenario's folder, or a packaged trace that `cema list` shows."""
    repeat_every_s: Duration | None = None
    """When the recording starts again, for ever; above its last time. Left out, it does not."""

    @field_validator("file")
    @classmethod
    def _can_be_read(cls, file: Path) -> Path:
        read(file)
        return file

    @field_validator("repeat_every_s")
    @classmethod
    def _repeats_after_its_end(cls, repeat_every_s: float | None, info: ValidationInfo) -> float | None:
        if repeat_every_s is None or "file" not in info.data:
            return repeat_every_s
        from sim.clock import nanoseconds, seconds  # noqa: PLC0415

        last = read(info.data["file"])[-1][0]
        if nanoseconds(repeat_every_s) <= last:
            raise ValueError(f"must be above the last time in the file, {number_text(seconds(last))}")
        return repeat_every_s

    @cached_property
    def _recorded(self) -> tuple[Piece, ...]:
        """Read once for all links that the settings describe."""
        from sim.bandwidths._periods import joined  # noqa: PLC0415

        return joined(read(self.file))

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Return the recorded process."""
        from sim.bandwidths._periods import repeated  # noqa: PLC0415
        from sim.clock import nanoseconds  # noqa: PLC0415

        if self.repeat_every_s is None:
            return iter(self._recorded)
        return repeated(self._recorded, nanoseconds(self.repeat_every_s))
