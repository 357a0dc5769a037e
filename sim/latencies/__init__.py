"""Latency distributions: how long a message is under way behind the link. One file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Base(Settings):
    """Settings of a latency distribution and the distribution itself."""

    distribution: str

    @property
    def least_ms(self) -> float:
        """No draw is below it: at least 0."""
        raise NotImplementedError

    def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
        """Return a function that draws a latency in seconds."""
        raise NotImplementedError
