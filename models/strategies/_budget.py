"""What strategies share that upload a fixed share of what a device sees, chosen by a rule, with CEMA's cloud behind.

They are the controls of any other selection: what does it earn over as many uploads chosen otherwise?
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from models.errors import InputError
from models.strategies._distillation import DistillingSettings, DistillingStrategy
from scenarios.settings import Name

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from models.criteria._chain import Exclusion
    from models.strategies._interface import DeviceName, Laboratory, Strategy


class BudgetSettings(DistillingSettings):
    """Settings of a selection under a budget, and of CEMA's cloud, with the defaults of the paper's text."""

    match: Name | None = None
    """Label of a strategy earlier in the scenario's list: the share that its whole fleet uploaded is the budget.

    The rest of the settings is not taken over from it.
    """
    share: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, validate_default=True)
    """Share of the samples seen by a device that it uploads, above 0; given beside `match`, it is the budget."""

    @field_validator("share")
    @classmethod
    def _there_is_a_budget(cls, share: float | None, info: ValidationInfo) -> float | None:
        if "match" in info.data and info.data["match"] is None:
            if share is None:
                raise ValueError(
                    "needed: a share above 0 and at most 1, or `match`, an earlier strategy's label"
                )
            if share == 0:
                raise ValueError("must be greater than 0")
        return share

    def selection(self, share: float, generator: np.random.Generator) -> Budget:
        """Return the state of the selection on one device, with its random stream."""
        raise NotImplementedError

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run; InputError where the share to match is not known yet."""
        if self.share is None:
            raise InputError(
                f"{self.label or self.name}: match: {self.match}: how much it uploads is known only after it has run; "
                "run both in one list, or give a `share`"
            )
        return BudgetedStrategy(self, self.share, laboratory)


B = TypeVar("B", bound=BudgetSettings)


class BudgetedStrategy(DistillingStrategy[B]):
    """A selection under a budget in one run."""

    def __init__(self, settings: B, share: float, laboratory: Laboratory) -> None:
        self.share = share
        super().__init__(settings, laboratory)

    def exclusion(self, device: DeviceName) -> Exclusion:
        """Return the selection of a device, which excludes under the name `budget`."""
        from models.criteria._chain import Exclusion  # noqa: PLC0415

        generator = self.laboratory.generator(f"{device.name}/selection")
        return Exclusion({"budget": self.settings.selection(self.share, generator)})


class Budget:
    """A running budget on one device: of the first n samples exactly floor(share n + offset) are kept.

    The offset in [0, 1) is random, so that the devices of a fleet do not all keep samples at the same moments and that
    even one sample is kept with probability `share`. The three selections draw the same.

    Attributes:
        share: as its decimals say, so that a share of 0.3 keeps 3 of 10 and rounding errors never add up.
        seen: n.

    """

    def __init__(self, share: float, generator: np.random.Generator) -> None:
        self.share = Fraction(str(share))
        self.offset = Fraction(generator.random())
        self.generator = generator
        self.seen = 0

    def due(self, samples: int) -> int:
        """Return how many of the first so many samples are kept."""
        return math.floor(self.share * samples + self.offset)

    def observe(self, entropies: Tensor) -> None:
        """Do nothing: samples count when they are judged."""

    def keep(self, entropies: Tensor, probabilities: Tensor) -> Tensor:
        """Return which samples of a batch to keep, bool (N,): as many as the budget has room for."""
        import torch  # noqa: PLC0415

        kept = torch.zeros(len(entropies), dtype=torch.bool)
        room = self.due(self.seen + len(entropies)) - self.due(self.seen)
        kept[self.choose(entropies, room)] = True
        self.seen += len(entropies)
        return kept

    def choose(self, entropies: Tensor, count: int) -> list[int]:
        """Return the positions of `count` samples of the batch with entropies (N,), in nats."""
        raise NotImplementedError

    def state(self) -> dict[str, float]:
        """Return how many samples were seen and kept."""
        return {"seen": float(self.seen), "kept": float(self.due(self.seen))}
