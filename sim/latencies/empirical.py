"""Measured latencies, drawn at random with replacement."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from scenarios.settings import Milliseconds
from scenarios.traces import TraceFile
from sim.latencies import Base

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np


def read(path: Path) -> tuple[float, ...]:
    """Return the latencies, in ms, from the lines below the header `latency_ms`; ValueError naming what is wrong."""
    from scenarios.traces import tables  # noqa: PLC0415

    return tuple(latency_ms for _, (latency_ms,) in tables.rows(path, "latency_ms"))


class Empirical(Base):
    """The latencies of a file or a list, each as likely as every other, independent of the one before."""

    distribution: Literal["empirical"] = "empirical"
    file: TraceFile | None = None
    """A file with the header `latency_ms` and a number in each line, relative to the scenario's folder, or a packaged
    trace that `cema list` shows."""
    values_ms: Annotated[tuple[Milliseconds, ...], Field(min_length=1, strict=False)] | None = Field(
        default=None, validate_default=True
    )
    """The latencies themselves, instead of a file."""

    @field_validator("file")
    @classmethod
    def _can_be_read(cls, file: Path | None) -> Path | None:
        if file is not None:
            read(file)
        return file

    @field_validator("values_ms")
    @classmethod
    def _come_from_one_place(
        cls, values_ms: tuple[float, ...] | None, info: ValidationInfo
    ) -> tuple[float, ...] | None:
        if "file" in info.data and (values_ms is None) == (info.data["file"] is None):
            raise ValueError("give either a file or values_ms")
        return values_ms

    @cached_property
    def _latencies_ms(self) -> tuple[float, ...]:
        """Read once for all links that the settings describe."""
        if self.values_ms is not None:
            return self.values_ms
        assert self.file is not None  # one of the two is given
        return read(self.file)

    @property
    def least_ms(self) -> float:
        """The shortest of all."""
        return min(self._latencies_ms)

    def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
        """Return a function that draws a latency in seconds."""
        latencies_s = [latency_ms / 1000 for latency_ms in self._latencies_ms]
        return lambda: latencies_s[generator.integers(len(latencies_s))]
