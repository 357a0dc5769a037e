"""A bandwidth that wanders about its mean and slowly forgets where it was (Gauss-Markov process).

x(k+1) = m + a (x(k) - m) + s sqrt(1 - a^2) w(k) with standard normal w, mean m, standard deviation s and
a = exp(-step_s / memory_s); x(0) has the stationary distribution, normal with mean m and deviation s.

Source: B. Liang and Z. J. Haas, Predictive Distance-Based Mobility Management for PCS Networks, INFOCOM 1999,
where the process is a velocity.
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


class GaussMarkov(Base):
    """A bandwidth that wanders about its mean, with a correlation that decays exponentially over time."""

    model: Literal["gauss_markov"] = "gauss_markov"
    mean_mbps: Mbps
    """Mean, 10^6 bits per second, before values below the floor are raised to it."""
    std_mbps: MbpsOrNone
    """Standard deviation, 10^6 bits per second, before the floor."""
    memory_s: Annotated[Duration, Field(ge=1e-3)] = 10.0
    """Time after which the correlation has fallen to 1/e."""
    step_s: Annotated[Duration, Field(ge=1e-3)] = 1.0
    """How long each value holds."""
    least_mbps: MbpsOrNone = 0.0
    """Floor, at most the mean: lower values count as this one, but the process goes on below it."""

    @field_validator("least_mbps")
    @classmethod
    def _is_no_more_than_the_mean(cls, least_mbps: float, info: ValidationInfo) -> float:
        mean_mbps = info.data.get("mean_mbps", math.inf)
        if least_mbps > mean_mbps:
            raise ValueError(f"must be at most mean_mbps, {number_text(mean_mbps)}")
        return least_mbps

    def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[Piece]:
        """Yield a piece for each step, without end."""
        from sim.clock import nanoseconds  # noqa: PLC0415

        if self.std_mbps == 0:
            yield 0, bits_per_second(self.mean_mbps)
            return
        normal = generator().standard_normal
        correlation = math.exp(-self.step_s / self.memory_s)
        innovation = math.sqrt(1 - correlation**2)
        deviation = float(normal())  # from the mean, in standard deviations
        for start in count(0, nanoseconds(self.step_s)):
            mbps = self.mean_mbps + self.std_mbps * deviation
            yield start, bits_per_second(max(self.least_mbps, mbps))
            deviation = correlation * deviation + innovation * float(normal())
