"""Low-informative samples: so certain that they teach nothing (CEMA, section 3.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from models.criteria import Base
from scenarios.settings import NonNegative

if TYPE_CHECKING:
    from torch import Tensor


class LowInformative(Base):
    """Keep a sample when H > E_min = share x ln C."""

    order: ClassVar[int] = 20

    share: NonNegative = 0.02
    """E_min as a share of the largest possible entropy, ln C."""

    def build(self, num_classes: int) -> LowInformativeState:
        """Return a fresh state for one device."""
        return LowInformativeState(self.share * math.log(num_classes))


class LowInformativeState:
    """The constant lower bound, `e_min`, in nats."""

    def __init__(self, e_min: float) -> None:
        self.e_min = e_min

    def observe(self, entropies: Tensor) -> None:
        """Do nothing: the bound is constant."""

    def keep(self, entropies: Tensor, probabilities: Tensor) -> Tensor:
        """Return H > E_min."""
        return entropies > self.e_min

    def state(self) -> dict[str, float]:
        """Return the bound in nats."""
        return {"e_min": self.e_min}
