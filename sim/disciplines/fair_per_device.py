"""Fair per device: whoever has had the fewest samples taken in is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from sim.disciplines import Base

if TYPE_CHECKING:
    from sim.messages import Message


class FairPerDevice(Base):
    """Start-time fair queueing (Goyal, Vin & Cheng, SIGCOMM 1996) with equal weights, counted in samples.

    While two devices both have uploads waiting, what they have had taken in differs by no more than the largest
    upload of each (their theorem 1); a device that was silent does not save up what it did not use.
    """

    discipline: Literal["fair_per_device"] = "fair_per_device"

    def order(self) -> StartTimeFair:
        """Return the discipline for one inbox."""
        return StartTimeFair()


class StartTimeFair:
    """The discipline at work.

    Attributes:
        virtual_time: start tag of the upload taken in last, in samples.
        finish: of each device, finish tag of its upload taken in last.

    """

    def __init__(self) -> None:
        self.virtual_time = 0
        self.finish: dict[str, int] = {}

    def choose(self, waiting: Sequence[Message]) -> int:
        """Return the place of the upload with the least start tag, of equal ones the oldest.

        A message without samples counts as one: it has its turn too.
        """
        place = min(range(len(waiting)), key=lambda place: self._start(waiting[place].device))
        device = waiting[place].device
        self.virtual_time = self._start(device)
        self.finish[device] = self.virtual_time + max(1, waiting[place].samples)
        return place

    def _start(self, device: str) -> int:
        return max(self.virtual_time, self.finish.get(device, 0))
