"""By redundancy, the least like what was sent first (after EATA, https://arxiv.org/abs/2204.02610, equation 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.ranks import Base, Prediction, Rank

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Redundancy(Base):
    """The lowest |cos(p, m)| first, with m a moving mean of the probabilities p that were sent.

    The mean p of what is sent first becomes m; before that samples are all alike. From then on, whenever the device
    sends samples, m <- (1 - momentum) m + momentum mean(p of these).
    """

    rank: Literal["redundancy"] = "redundancy"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of what is sent in the moving mean after it; 0.1 is EATA's."""

    def build(self) -> Rank:
        """Return the state of a device that has sent nothing."""
        return LeastRedundantFirst(self.momentum)


class LeastRedundantFirst:
    """The moving mean of what was sent, `mean`, float64 (C,), or None before the first."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.mean: NDArray[np.float64] | None = None

    def scores(self, samples: Sequence[Prediction]) -> Sequence[float]:
        """Return -|cos(p, m)|, 0 before anything was sent."""
        if self.mean is None:
            return [0.0] * len(samples)
        return [-_cosine(sample.probabilities, self.mean) for sample in samples]

    def note_sent(self, samples: Sequence[Prediction]) -> None:
        """Move m towards what is sent."""
        import numpy as np  # noqa: PLC0415

        sent = np.stack([sample.probabilities for sample in samples]).astype(np.float64).mean(0)
        self.mean = sent if self.mean is None else (1 - self.momentum) * self.mean + self.momentum * sent


def _cosine(p: NDArray[np.float32], m: NDArray[np.float64]) -> float:
    """Return the cosine of the angle between probabilities; sums rather than BLAS, so that all machines agree."""
    return float((p * m).sum()) / math.sqrt(float((p.astype(m.dtype) ** 2).sum()) * float((m * m).sum()))
