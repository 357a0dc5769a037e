"""Random selection: uploads drawn uniformly within a budget. The control of every selection rule.

The cloud is CEMA's (https://arxiv.org/abs/2402.17316).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._budget import Budget, BudgetSettings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class RandomSelection(BudgetSettings):
    """Each batch's part of the budget is drawn from its samples without replacement, all equally likely."""

    name: Literal["random_selection"] = "random_selection"

    def selection(self, share: float, generator: np.random.Generator) -> Budget:
        """Return the state of the selection on one device."""
        return RandomBudget(share, generator)


class RandomBudget(Budget):
    """The budget, spent at random."""

    def choose(self, entropies: Tensor, count: int) -> list[int]:
        """Draw positions uniformly, without replacement."""
        chosen: list[int] = self.generator.choice(len(entropies), count, replace=False).tolist()
        return chosen
