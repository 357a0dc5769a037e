"""Normal latency, truncated at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from scenarios.settings import Milliseconds
from sim.latencies import Base

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Normal(Base):
    """A normal distribution under the condition that it is not negative: negative draws are drawn again."""

    distribution: Literal["normal"] = "normal"
    mean_ms: Milliseconds
    """Mean of the normal distribution; without the negative part it is a little higher."""
    std_ms: Milliseconds
    """Standard deviation of the normal distribution; without the negative part it is a little lower."""

    @property
    def least_ms(self) -> float:
        """Zero, or the mean where nothing varies."""
        return 0.0 if self.std_ms else self.mean_ms

    def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
        """Return a function that draws until the latency, in seconds, is not negative."""
        mean_s, std_s = self.mean_ms / 1000, self.std_ms / 1000

        def draw() -> float:
            while (latency := generator.normal(mean_s, std_s)) < 0:  # at most every second time
                pass
            return float(latency)

        return draw
