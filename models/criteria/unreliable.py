"""Dynamic unreliable samples: entropy at or above a threshold that follows the world (CEMA, section 3.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.criteria import Base
from scenarios.settings import Positive

if TYPE_CHECKING:
    from torch import Tensor


class Unreliable(Base):
    """Keep a sample when H < E_max(t).

    E_max(1) = share x ln C. With Ebar(t) the mean entropy of all samples seen up to and including batch t:

    - static: E_max(t) = E_max(1);
    - recursive (the paper): E_max(t) = coefficient x E_max(t - 1) x Ebar(t) / Ebar(t - 1), which compounds the
      coefficient with every batch;
    - anchored (the reference implementation): E_max(t) = coefficient x E_max(1) x Ebar(t) / Ebar(end of warm-up),
      and E_max(1) until warm_up_samples have been seen.
    """

    order: ClassVar[int] = 10

    threshold: Literal["static", "recursive", "anchored"] = "recursive"
    share: Positive = 0.4
    """E_max(1) as a share of the largest possible entropy, ln C."""
    coefficient: Positive = 1.0
    """The paper's lambda."""
    warm_up_samples: Annotated[int, Field(ge=1)] = 1
    """Of the anchored form."""

    def build(self, num_classes: int) -> UnreliableState:
        """Return a fresh state for one device."""
        return UnreliableState(self, num_classes)


class UnreliableState:
    """The running mean of the entropy and the threshold that follows it.

    Attributes:
        e_max: the threshold in nats.
        mean: Ebar, in nats.
        seen: samples seen.

    """

    def __init__(self, settings: Unreliable, num_classes: int) -> None:
        self.settings = settings
        self.e_max_first = self.e_max = settings.share * math.log(num_classes)
        self.mean = 0.0
        self.seen = 0
        self.anchor: float | None = None

    def observe(self, entropies: Tensor) -> None:
        """Bring the running mean and the threshold up to the new batch, before it is filtered."""
        before, seen_before = self.mean, self.seen
        self.seen += len(entropies)
        self.mean += (float(entropies.double().sum()) - len(entropies) * before) / self.seen
        if self.settings.threshold == "recursive" and seen_before and before > 0:
            self.e_max *= self.settings.coefficient * self.mean / before
        elif self.settings.threshold == "anchored":
            if self.anchor is not None and self.anchor > 0:
                self.e_max = self.settings.coefficient * self.e_max_first * self.mean / self.anchor
            elif self.seen >= self.settings.warm_up_samples:
                self.anchor = self.mean

    def keep(self, entropies: Tensor, probabilities: Tensor) -> Tensor:
        """Return H < E_max(t)."""
        return entropies < self.e_max

    def state(self) -> dict[str, float]:
        """Return the threshold and the mean entropy that it follows, in nats."""
        return {"e_max": self.e_max, "mean_entropy": self.mean}
