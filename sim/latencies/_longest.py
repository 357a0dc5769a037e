"""The latency of what reaches several receivers together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from scenarios.network import LatencyDistribution


@dataclass(frozen=True)
class Longest:
    """The longest of several latencies, drawn independently of one another, and of one that is constant."""

    several: tuple[LatencyDistribution, ...]
    constant_ms: float

    @property
    def least_ms(self) -> float:
        """The longest of what each is at least."""
        return max(self.constant_ms, *(each.least_ms for each in self.several))

    def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
        """Return a function that draws a latency in seconds."""
        draws = [each.sampler(generator) for each in self.several]
        constant_s = self.constant_ms / 1000
        return lambda: max(constant_s, *(draw() for draw in draws))
