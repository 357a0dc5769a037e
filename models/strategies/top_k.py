"""Top-K: the most uncertain samples of each batch, within a budget.

Uncertainty-guided sampling of cloud-device collaboration (https://arxiv.org/abs/2212.00972, CVPR 2023) uploads what the
device is least sure of, and Cross-Architecture Adaptation (CAA, CVPR 2026) ranks within a budget of communication.
Here the entropy of the prediction is the whole ranking: their other criteria, among them balanced classes, are left
out. The cloud is CEMA's (https://arxiv.org/abs/2402.17316), which excludes such samples as unreliable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._budget import Budget, BudgetSettings

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class TopK(BudgetSettings):
    """Each batch's part of the budget goes to its samples of the highest entropy; batches of one leave no choice."""

    name: Literal["top_k"] = "top_k"

    def selection(self, share: float, generator: np.random.Generator) -> Budget:
        """Return the state of the selection on one device."""
        return UncertaintyBudget(share, generator)


class UncertaintyBudget(Budget):
    """The budget, spent on the most uncertain samples."""

    def choose(self, entropies: Tensor, count: int) -> list[int]:
        """Return the positions of the highest entropies; of equal ones the earlier comes first."""
        ranked: list[int] = entropies.argsort(descending=True, stable=True).tolist()
        return ranked[:count]
