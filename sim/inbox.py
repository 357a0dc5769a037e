"""The cloud's inbox: uploads that wait until an accelerator is free, and those that find no room.

It stands before the strategy. What a strategy makes of an upload (samples in its buffers and its replay memory, steps
that are ready) cannot be taken back, and samples of several devices share a step; so whatever is to be ordered by
device or by information, or refused, must not have reached it. Steps then begin in the order in which they are ready,
and those of one student one after another: with an ideal link and a cloud without delay nothing ever waits, and every
discipline is the sequential algorithm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.disciplines._information import information

if TYPE_CHECKING:
    from scenarios.cloud import Inbox as InboxSettings
    from sim.disciplines import Base as Discipline
    from sim.messages import Message


class Inbox:
    """Uploads that wait, oldest first, each with its time of arrival in nanoseconds."""

    def __init__(self, settings: InboxSettings) -> None:
        self.settings = settings
        self.discipline: Discipline = settings.discipline
        self.order = self.discipline.order()
        self.waiting: list[tuple[Message, int]] = []

    def __len__(self) -> int:
        return len(self.waiting)

    def add(self, message: Message, arrival: int) -> None:
        """Let an upload wait, even in a full inbox: `trim` is asked once it is known which can be taken in at once."""
        self.waiting.append((message, arrival))

    def take(self, may: Callable[[str], bool]) -> tuple[Message, int] | None:
        """Take out the next of the uploads whose sender `may` have one taken in; None where there is none."""
        places = [place for place, (message, _) in enumerate(self.waiting) if may(message.device)]
        if not places:
            return None
        chosen = self.order.choose([self.waiting[place][0] for place in places])
        return self.waiting.pop(places[chosen])

    def trim(self) -> list[Message]:
        """Refuse what there is no room for, and return it."""
        capacity = self.settings.capacity
        refused = []
        while capacity is not None and len(self.waiting) > capacity:
            refused.append(self.waiting.pop(self._place_to_refuse())[0])
        return refused

    def _place_to_refuse(self) -> int:
        last = len(self.waiting) - 1
        if self.settings.overflow == "drop_oldest":
            return 0
        if self.settings.overflow == "reject_newest":
            return last
        return min(range(last, -1, -1), key=lambda place: information(self.waiting[place][0]))

    def keep(self, wanted: Callable[[Message], bool]) -> None:
        """Forget all uploads but those that are still wanted."""
        self.waiting = [entry for entry in self.waiting if wanted(entry[0])]

    def lose(self) -> list[Message]:
        """Forget everything, the discipline's past too; return the uploads."""
        lost = [message for message, _ in self.waiting]
        self.waiting = []
        self.order = self.discipline.order()
        return lost
