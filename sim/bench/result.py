"""What a benchmark found: figures, each the median of its rounds, with the target that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, Self

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: what was measured.
        value: the median of the rounds.
        unit: of the value and of each round; `x` for a ratio.
        target: what the value is to reach, or None where it only informs.
        better: which side of the target is the good one.
        rounds: the quantity in each round, in the order in which they were measured.
        note: what a reader must know beside it.

    """

    name: str
    value: float
    unit: str
    target: float | None
    better: Better
    rounds: tuple[float, ...]
    note: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        rounds: Sequence[float],
        unit: str = "x",
        target: float | None = None,
        better: Better = "higher",
        note: str = "",
    ) -> Self:
        """Return the figure whose value is the median of its rounds; ValueError without any."""
        if not rounds:
            raise ValueError(f"{name}: a figure needs at least one round")
        return cls(name, median(rounds), unit, target, better, tuple(rounds), note)

    @property
    def met(self) -> bool | None:
        """Whether the value reaches the target; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


@dataclass(frozen=True)
class Result:
    """The figures of one benchmark, and in one sentence what limits them."""

    benchmark: str
    figures: tuple[Figure, ...]
    limits: str
