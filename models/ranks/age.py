"""By age, the newest first: what the world looks like now teaches more than what it looked like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from models.ranks import Base, Memoryless, Prediction, Rank


class Age(Base):
    """The newest samples first."""

    rank: Literal["age"] = "age"

    def build(self) -> Rank:
        """Return a state without memory."""
        return NewestFirst()


class NewestFirst(Memoryless):
    """The order of arrival, backwards."""

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return the time of arrival."""
        return [sample.arrival for sample in samples]
