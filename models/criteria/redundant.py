"""Redundant samples: predictions like those already kept (EATA, https://arxiv.org/abs/2204.02610, equation 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from models.criteria import Base

if TYPE_CHECKING:
    from torch import Tensor


FEW_CLASSES = 10


class Redundant(Base):
    """Keep a sample when |cos(p, m)| < d_margin, with m a moving mean of the kept p.

    The first batch that reaches the criterion is kept whole and its mean p becomes m; from then on
    m <- 0.9 m + 0.1 mean(p of the kept samples), unchanged when none is kept.
    """

    order: ClassVar[int] = 30

    d_margin: Annotated[float, Field(gt=0, le=1)] | None = None
    """Left out, EATA's: 0.4 up to 10 classes (its CIFAR-10 experiments), 0.05 above (its ImageNet experiments)."""

    def build(self, num_classes: int) -> RedundantState:
        """Return a fresh state for one device."""
        published = 0.4 if num_classes <= FEW_CLASSES else 0.05
        return RedundantState(published if self.d_margin is None else self.d_margin)


class RedundantState:
    """The moving mean of kept predictions, `mean`, float (C,), or None before the first."""

    def __init__(self, d_margin: float) -> None:
        self.d_margin = d_margin
        self.mean: Tensor | None = None

    def observe(self, entropies: Tensor) -> None:
        """Do nothing: only samples that reach this criterion count."""

    def keep(self, entropies: Tensor, probabilities: Tensor) -> Tensor:
        """Return |cos(p, m)| < d_margin and move m towards the kept samples."""
        import torch  # noqa: PLC0415
        from torch.nn import functional as F  # noqa: PLC0415

        if self.mean is None:
            self.mean = probabilities.mean(0)
            return torch.ones(len(probabilities), dtype=torch.bool)
        kept = F.cosine_similarity(probabilities, self.mean[None], dim=1).abs() < self.d_margin
        if bool(kept.any()):
            self.mean = 0.9 * self.mean + 0.1 * probabilities[kept].mean(0)
        return kept

    def state(self) -> dict[str, float]:
        """Return the largest probability in m, once there is one: near 1, the kept samples are all alike."""
        return {} if self.mean is None else {"mean_peak": float(self.mean.max())}
