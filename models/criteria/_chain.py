"""Several criteria, one after another, on one device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.criteria import Criterion
from models.entropy import entropy

KEPT = "kept"


class Exclusion:
    """The chain of criteria of one device.

    Attributes:
        criteria: the states by name, in the order in which they judge.

    """

    def __init__(self, criteria: Mapping[str, Criterion]) -> None:
        self.criteria = criteria

    def state(self) -> dict[str, float]:
        """Return what the criteria remember, as `<criterion>.<name>`."""
        return {
            f"{name}.{key}": value
            for name, criterion in self.criteria.items()
            for key, value in criterion.state().items()
        }

    def judge(self, logits: Tensor) -> list[str]:
        """Return for each sample of logits (N, C) the name of the first criterion that excludes it, or `kept`."""
        entropies, probabilities = entropy(logits), logits.softmax(1)
        verdicts = [KEPT] * len(logits)
        for criterion in self.criteria.values():
            criterion.observe(entropies)
        left = torch.arange(len(logits))
        for name, criterion in self.criteria.items():
            if len(left) == 0:
                break
            keep = criterion.keep(entropies[left], probabilities[left])
            for index in left[~keep].tolist():
                verdicts[index] = name
            left = left[keep]
        return verdicts
