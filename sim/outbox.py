"""What waits for its turn on a link, where that is bounded or where a newer message makes an older one worthless."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.network import Outbox as OutboxSettings
    from scenarios.network import Superseded
    from sim.transfer import Transfer


class Outbox:
    """The messages of one link, `sim.messages.Message`, that wait for their turn.

    The bounds are for samples: those alone count, and those alone are dropped when they are passed. What else a device
    has to say is short and rare, and its strategy or the cloud relies on it.

    Attributes:
        settings: its bounds, and what goes out when they are passed; None for no bounds.
        superseded: what happens to a version that waits when a newer one is handed over.
        waiting: in order.

    """

    def __init__(self, settings: OutboxSettings | None = None, superseded: Superseded = "keep") -> None:
        self.settings = settings
        self.superseded = superseded
        self.waiting: list[Transfer] = []
        self._bounded = self._bounded_bytes = 0  # messages of samples that wait, and their bytes on the wire

    def put(self, transfer: Transfer) -> list[Transfer]:
        """Let a message wait, and return those that do not wait any more, each with its fate."""
        out = self._supersede(transfer)
        while self._is_full():
            going = self._choose()
            going.fate = "dropped"
            self.waiting.remove(going)
            self._count(going, -1)
            out.append(going)
        return out

    def take(self) -> Transfer | None:
        """Return the message whose turn it is; None where nothing waits."""
        if not self.waiting:
            return None
        following = self.waiting.pop(0)
        self._count(following, -1)
        return following

    def clear(self) -> list[Transfer]:
        """Let nothing wait any more, and return what did, each with its fate."""
        out, self.waiting = self.waiting, []
        self._bounded = self._bounded_bytes = 0
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
        self._count(transfer, 1)
        for other in out:
            other.fate = "superseded"
            self.waiting.remove(other)
        return out

    def _count(self, transfer: Transfer, sign: int) -> None:
        if _is_bounded(transfer):
            self._bounded += sign
            self._bounded_bytes += sign * transfer.wire_bytes

    def _is_full(self) -> bool:
        if self.settings is None:
            return False
        most, most_bytes = self.settings.messages, self.settings.capacity_bytes
        return (most is not None and self._bounded > most) or (
            most_bytes is not None and self._bounded_bytes > most_bytes
        )

    def _choose(self) -> Transfer:
        """Return the message that goes out of a full outbox; of equally informative ones the oldest."""
        assert self.settings is not None  # or it would never be full
        if self.settings.overflow == "drop_oldest":
            return next(filter(_is_bounded, self.waiting))
        if self.settings.overflow == "drop_newest":
            return next(filter(_is_bounded, reversed(self.waiting)))
        return min(filter(_is_bounded, self.waiting), key=lambda transfer: transfer.content.information)


def _is_bounded(transfer: Transfer) -> bool:
    return bool(transfer.content.kind == "samples")
