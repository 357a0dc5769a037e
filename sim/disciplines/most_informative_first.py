"""Most informative first: the upload whose samples the devices were least sure of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from sim.disciplines import Base
from sim.disciplines._information import information

if TYPE_CHECKING:
    from sim.messages import Message


class MostInformativeFirst(Base):
    """The upload with the highest mean entropy is next, of equal ones the oldest; statistics come before samples.

    Uncertainty sampling (Lewis & Gale 1994) over what waits. Under lasting overload the rest waits for ever, or
    until a full inbox refuses it.
    """

    discipline: Literal["most_informative_first"] = "most_informative_first"

    def order(self) -> ByInformation:
        """Return the discipline for one inbox."""
        return ByInformation()


class ByInformation:
    """The discipline at work."""

    def choose(self, waiting: Sequence[Message]) -> int:
        """Return the place of the most informative upload."""
        return max(range(len(waiting)), key=lambda place: information(waiting[place]))
