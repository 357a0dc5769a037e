"""Log-normal latency: a long tail upwards, as measured on wireless and wide-area paths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from scenarios.settings import Milliseconds
from sim.latencies import Base

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Lognormal(Base):
    """A latency whose logarithm is normal; its mean is median_ms exp(sigma^2 / 2)."""

    distribution: Literal["lognormal"] = "lognormal"
    median_ms: Annotated[Milliseconds, Field(gt=0)]
    """Half of all latencies are below it."""
    sigma: Annotated[float, Field(ge=0, le=5)]
    """Standard deviation of the natural logarithm; 0.5 puts one in twenty above 2.3 times the median."""

    @property
    def least_ms(self) -> float:
        """Zero, or the median where nothing varies."""
        return 0.0 if self.sigma else self.median_ms

    def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
        """Return a function that draws a latency in seconds."""
        median_s = self.median_ms / 1000
        return lambda: median_s * math.exp(self.sigma * generator.standard_normal())
