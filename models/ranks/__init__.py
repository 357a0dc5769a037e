"""Ranks: which samples a device uploads first where a budget does not let all of them go. One file each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scenarios.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a device knows of a sample beside its image; labels are not among it.

    Attributes:
        entropy: of the prediction, in nats.
        probabilities: softmax of the logits, float32 (C,).
        arrival: of its batch, in nanoseconds.

    """

    entropy: float
    probabilities: NDArray[np.float32]
    arrival: int


class Rank(Protocol):
    """The state of a rank on one device."""

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return a score for each sample; the highest goes first, and of equals the one that arrived first."""

    def note_sent(self, samples: Sequence[Prediction]) -> None:
        """Take note of samples that are being sent, at least one."""


class Base(Settings):
    """Settings of a rank."""

    rank: str

    def build(self) -> Rank:
        """Return a fresh state for one device."""
        raise NotImplementedError


class Memoryless:
    """A rank to which it is all the same what was sent."""

    def note_sent(self, samples: Sequence[Prediction]) -> None:
        """Do nothing."""
