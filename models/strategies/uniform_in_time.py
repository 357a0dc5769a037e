"""Uniform in time: every so many samples one is uploaded, whatever it shows.

The cloud is CEMA's (https://arxiv.org/abs/2402.17316).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._budget import Budget, BudgetSettings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class UniformInTime(BudgetSettings):
    """A device uploads every (1 / share)-th sample, from a random one on.

    Where 1 / share is no whole number, gaps differ by one.
    """

    name: Literal["uniform_in_time"] = "uniform_in_time"

    def selection(self, share: float, generator: np.random.Generator) -> Budget:
        """Return the state of the selection on one device."""
        return UniformBudget(share, generator)


class UniformBudget(Budget):
    """The budget, spent as soon as there is room."""

    def choose(self, entropies: Tensor, count: int) -> list[int]:
        """Return the positions at which the number of samples to be kept rises."""
        n = self.seen
        return [i for i in range(len(entropies)) if self.due(n + i + 1) > self.due(n + i)]
