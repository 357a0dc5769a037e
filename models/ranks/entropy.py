"""By entropy, the most uncertain of a band first: uncertainty sampling (B. Settles, Active Learning Survey, 2009).

What is too uncertain is often wrong and teaches little (EATA, https://arxiv.org/abs/2204.02610; CEMA, section 3.2), so
the band may end below the largest entropy; where criteria have left that out already, it need not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from models.ranks import Base, Memoryless, Prediction, Rank


class Entropy(Base):
    """The samples of a band first, of highest entropy before; then those outside, the nearest before."""

    rank: Literal["entropy"] = "entropy"
    low_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Where the band begins, as a share of the largest possible entropy, ln C."""
    high_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Where it ends, likewise."""

    @field_validator("high_share")
    @classmethod
    def _is_higher(cls, high_share: float, info: ValidationInfo) -> float:
        low_share = info.data.get("low_share")
        if low_share is not None and high_share <= low_share:
            raise ValueError(f"must be greater than low_share, {low_share:g}")
        return high_share

    def build(self) -> Rank:
        """Return a state without memory."""
        return MostUncertainOfBandFirst(self.low_share, self.high_share)


class MostUncertainOfBandFirst(Memoryless):
    """The order of falling entropy inside a band, and outside of rising distance from it."""

    def __init__(self, low_share: float, high_share: float) -> None:
        self.low_share = low_share
        self.high_share = high_share

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return the entropy inside the band, and outside what lacks, negative; in nats."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Prediction) -> float:
        largest = math.log(len(sample.probabilities))
        low = self.low_share * largest
        high = self.high_share * largest if self.high_share < 1 else math.inf  # rounding may lead beyond ln C
        outside = max(low - sample.entropy, sample.entropy - high)
        return -outside if outside > 0 else sample.entropy
