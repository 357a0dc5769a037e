"""What waits for its turn on a link, where that is bounded or where a newer message makes an older one worthless."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.network import Outbox as OutboxSettings
    from scenarios.network import Superseded
    from sim.transfer import Transfer


class Outbox:
    """The messages of one link, `sim.messages.Message`, that wait for their turn.

    Attributes:
        settings: its bounds, and what goes out when they are passed; None for no bounds.
        superseded: what happens to a version that waits when a newer one is handed over.
        waiting: in order.

    """

    def __init__(self, settings: OutboxSettings | None = None, superseded: Superseded = "keep") -> None:
        self.settings = settings
        self.superseded = superseded
        self.waiting: list[Transfer] = []

    def put(self, transfer: Transfer) -> list[Transfer]:
        """Let a message wait, and return those that do not wait any more, each with its fate."""
        out = self._supersede(transfer)
        while self._is_full():
            going = self._choose()
            going.fate = "dropped"
            self.waiting.remove(going)
            out.append(going)
        return out

    def take(self) -> Transfer | None:
        """Return the message whose turn it is; None where nothing waits."""
        return self.waiting.pop(0) if self.waiting else None

    def clear(self) -> list[Transfer]:
        """Let nothing wait any more, and return what did, each with its fate."""
        out, self.waiting = self.waiting, []
        for transfer in out:
            transfer.fate = "dropped"
        return out

    def _supersede(self, transfer: Transfer) -> list[Transfer]:
        out: list[Transfer] = []
        place = len(self.waiting)
        if self.superseded != "keep" and transfer.content.kind == "update":
            out = [other for other in self.waiting if other.content.kind == "update"]
            if out and self.superseded == "replace":
                place = self.waiting.index(out[0])
        self.waiting.insert(place, transfer)
        for other in out:
            other.fate = "superseded"
            self.waiting.remove(other)
        return out

    def _is_full(self) -> bool:
        if self.settings is None:
            return False
        most, most_bytes = self.settings.messages, self.settings.capacity_bytes
        return (most is not None and len(self.waiting) > most) or (
            most_bytes is not None and sum(transfer.wire_bytes for transfer in self.waiting) > most_bytes
        )

    def _choose(self) -> Transfer:
        """Return the message that goes out of a full outbox; of equally informative ones the oldest."""
        assert self.settings is not None  # or it would never be full
        if self.settings.overflow == "drop_oldest":
            return self.waiting[0]
        if self.settings.overflow == "drop_newest":
            return self.waiting[-1]
        return min(self.waiting, key=lambda transfer: transfer.content.information)
