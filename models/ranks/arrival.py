"""In order of arrival: first come, first served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from models.ranks import Base, Memoryless, Prediction, Rank


class Arrival(Base):
    """The oldest samples first."""

    rank: Literal["arrival"] = "arrival"

    def build(self) -> Rank:
        """Return a state without memory."""
        return OldestFirst()


class OldestFirst(Memoryless):
    """The order of arrival."""

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return minus the time of arrival."""
        return [-sample.arrival for sample in samples]
