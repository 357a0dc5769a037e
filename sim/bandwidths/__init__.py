"""Bandwidth over time: models of what a link can carry. One file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from scenarios.settings import FiniteMbps, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from sim.timeline import Piece

MbpsOrNone = Annotated[FiniteMbps, Field(ge=0)]
"""A bandwidth in 10^6 bits per second, or none for a time."""
Mbps = Annotated[FiniteMbps, Field(ge=1e-6)]
"""A bandwidth in 10^6 bits per second, a bit per second at least: a link that never carries anything has no end."""


class Base(Settings):
    """Settings of a bandwidth model and the model itself."""

    model: str

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Return the rate process of one direction of one link, as described in `sim.timeline`.

        `generator` is called once, and only by models that draw numbers.
        """
        raise NotImplementedError


def bits_per_second(mbps: float) -> int:
    """Return a bandwidth of 10^6 bits per second in whole bits per second, at least 0."""
    return max(0, round(mbps * 1e6))
