"""A bandwidth with the rhythm of the day: a raised cosine between a trough and a peak.

At each hour of the day it is trough + (peak - trough) (1 + cos(2 pi (hour - peak_at_h) / 24)) / 2.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from scenarios.settings import Duration, number_text
from sim.bandwidths import Base, Mbps, MbpsOrNone, bits_per_second

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from sim.timeline import Piece

Hour = Annotated[float, Field(ge=0, le=24)]


class Diurnal(Base):
    """A bandwidth that rises and falls with the day; each step has that of its middle."""

    model: Literal["diurnal"] = "diurnal"
    trough_mbps: MbpsOrNone
    """Lowest bandwidth of the day, 10^6 bits per second, twelve hours from peak_at_h: when most others are online."""
    peak_mbps: Mbps
    """Highest bandwidth of the day, 10^6 bits per second."""
    peak_at_h: Hour = 4.0
    """Hour of the day at which it is highest."""
    start_at_h: Hour = 0.0
    """Hour of the day at which the run begins, so that a short one can lie in the busy hours."""
    day_s: Annotated[Duration, Field(ge=1e-3)] = 86400.0
    """Length of the day, whose 24th part is an hour; less lets a short run meet all of it."""
    step_s: Annotated[Duration, Field(ge=1e-3)] = 60.0
    """How long each value holds; at most an eighth of the day."""

    @field_validator("peak_mbps")
    @classmethod
    def _is_above_the_trough(cls, peak_mbps: float, info: ValidationInfo) -> float:
        trough_mbps = info.data.get("trough_mbps", 0.0)
        if peak_mbps < trough_mbps:
            raise ValueError(f"must be at least trough_mbps, {number_text(trough_mbps)}")
        return peak_mbps

    @field_validator("step_s")
    @classmethod
    def _is_short_for_the_day(cls, step_s: float, info: ValidationInfo) -> float:
        day_s = info.data.get("day_s", math.inf)
        if step_s > day_s / 8:
            raise ValueError(f"must be at most an eighth of day_s, {number_text(day_s / 8)}")
        return step_s

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Yield a piece for each step, without end."""
        from sim.clock import nanoseconds, seconds  # noqa: PLC0415

        if self.trough_mbps == self.peak_mbps:
            yield 0, bits_per_second(self.peak_mbps)
            return
        step = nanoseconds(self.step_s)
        ahead = (self.start_at_h - self.peak_at_h) / 24
        for start in count(0, step):
            day = seconds(start + step // 2) / self.day_s + ahead  # since a peak
            height = (1 + math.cos(2 * math.pi * day)) / 2
            yield start, bits_per_second(self.trough_mbps + (self.peak_mbps - self.trough_mbps) * height)
