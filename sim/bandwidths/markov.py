"""A bandwidth with a good and a bad state, each of exponential length (two-state Markov process).

This is the model of E. N. Gilbert (1960) and E. O. Elliott (1963) for a channel with memory, in continuous time and
with a bandwidth in each state in the place of a probability of error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from scenarios.settings import Duration
from sim.bandwidths import Base, Mbps, MbpsOrNone, bits_per_second

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from sim.timeline import Piece

Dwell = Annotated[Duration, Field(ge=1e-3)]


class Markov(Base):
    """A bandwidth that changes between two values; how long each lasts is exponential.

    The first state is drawn with its share of the time.
    """

    model: Literal["markov"] = "markov"
    good_mbps: Mbps
    """Bandwidth in the good state, 10^6 bits per second."""
    bad_mbps: MbpsOrNone
    """Bandwidth in the bad state, 10^6 bits per second."""
    mean_good_s: Dwell
    """Mean length of a stay in the good state."""
    mean_bad_s: Dwell
    """Mean length of a stay in the bad state."""

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Yield a piece for each stay, without end."""
        from sim.clock import nanoseconds  # noqa: PLC0415

        draw = generator()
        good = draw.random() * (self.mean_good_s + self.mean_bad_s) < self.mean_good_s
        start = 0
        while True:
            yield start, bits_per_second(self.good_mbps if good else self.bad_mbps)
            stay = draw.exponential(self.mean_good_s if good else self.mean_bad_s)
            start += max(1, nanoseconds(stay))
            good = not good
