"""Exclusion criteria: which samples are not worth uploading. One file each, registered under its name.

A criterion's settings build its state, which lives on one device. Criteria stand in a chain: each judges the
samples of a batch that the ones before it left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from scenarios.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class Criterion(Protocol):
    """The state of one criterion on one device."""

    def observe(self, entropies: Tensor) -> None:
        """See the entropy, float (N,), of every sample of a batch before any is excluded."""

    def keep(self, entropies: Tensor, probabilities: Tensor) -> Tensor:
        """Return which candidates to keep, bool (M,), from their entropies (M,) and probabilities (M, C), M > 0."""

    def state(self) -> dict[str, float]:
        """Return what it remembers, by name, to be recorded."""


class Base(Settings):
    """Settings of a criterion."""

    order: ClassVar[int]
    """Criteria judge in ascending order."""

    def build(self, num_classes: int) -> Criterion:
        """Return a fresh state for one device."""
        raise NotImplementedError
