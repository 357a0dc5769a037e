"""By entropy, the most uncertain first: uncertainty sampling (B. Settles, Active Learning Literature Survey, 2009).

The criteria have already left out what is too uncertain to be relied on, so this is the upper edge of their band.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from models.ranks import Base, Memoryless, Prediction, Rank


class Entropy(Base):
    """The samples of highest entropy first."""

    rank: Literal["entropy"] = "entropy"

    def build(self) -> Rank:
        """Return a state without memory."""
        return MostUncertainFirst()


class MostUncertainFirst(Memoryless):
    """The order of falling entropy."""

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return the entropy, in nats."""
        return [sample.entropy for sample in samples]
