"""First in, first out: uploads are taken in as they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from sim.disciplines import Base

if TYPE_CHECKING:
    from sim.messages import Message


class FirstInFirstOut(Base):
    """The oldest upload is next."""

    discipline: Literal["first_in_first_out"] = "first_in_first_out"

    def order(self) -> OldestFirst:
        """Return the discipline for one inbox."""
        return OldestFirst()


class OldestFirst:
    """The discipline at work."""

    def choose(self, waiting: Sequence[Message]) -> int:
        """Return the first place."""
        return 0
