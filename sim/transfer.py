"""A message on its way over a link, and the account of a link's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.clock import Moment


class Transfer(Moment):
    """One message on its way, and the event of its arrival; times are nanoseconds and None until they are known.

    Attributes:
        message: counts the messages of the link from 0.
        payload_bytes, header_bytes: what arrives.
        retransmitted_bytes: lost on the way or sent in an attempt that failed, and sent again.
        wire_bytes: all that the link carries for the message, the sum of the three.
        content: handed to the receiver.
        attempts: how often its sending began; more than once only where an outage makes it fail.
        fails: whether its last attempt fails; a line of its own knows it beforehand.
        fate: why it has not arrived and never will: dropped or superseded before its turn, or failed; None otherwise.
        queued_at: when it was handed over.
        ready_at: from when on the link may carry it: later where it waits in an outbox.
        start_at, sent_at: when its turn comes, and when its last bit leaves; a link of its own knows both beforehand.
        delivered_at: when it arrived.
        following: the next unfinished one of the link.

    """

    __slots__ = (
        "attempts",
        "content",
        "delivered_at",
        "fails",
        "fate",
        "following",
        "header_bytes",
        "message",
        "payload_bytes",
        "queued_at",
        "ready_at",
        "retransmitted_bytes",
        "sent_at",
        "start_at",
        "wire_bytes",
    )

    def __init__(
        self,
        message: int,
        payload_bytes: int,
        header_bytes: int,
        retransmitted_bytes: int,
        content: Any,
        queued_at: int,
        arrive: tuple[Callable[[Transfer], None], ...],
    ) -> None:
        self.message = message
        self.payload_bytes = payload_bytes
        self.header_bytes = header_bytes
        self.retransmitted_bytes = retransmitted_bytes
        self.wire_bytes = payload_bytes + header_bytes + retransmitted_bytes
        self.content = content
        self.attempts = 1
        self.fails = False
        self.fate: str | None = None
        self.queued_at = self.ready_at = queued_at
        self.callbacks = arrive
        self.start_at: int | None = None
        self.sent_at: int | None = None
        self.delivered_at: int | None = None
        self.following: Transfer | None = None

    def has_started(self, time: int) -> bool:
        """Tell whether its turn has come by `time`, in nanoseconds."""
        return self.start_at is not None and self.start_at <= time

    def waste(self, size: int) -> None:
        """Count bytes of an attempt that failed."""
        self.retransmitted_bytes += size
        self.wire_bytes += size


@dataclass
class Ledger:
    """Bytes of one link by their state: at any time sent = delivered + lost + in_flight.

    A message's bytes are queued until its turn comes; then all of them are sent, and in flight until it arrives. Of a
    message that fails for good only what was really sent for it stays, as lost. What was dropped or superseded before
    its turn was never sent.
    """

    queued: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    in_flight: int = 0
    dropped: int = 0


Sent = Callable[[Transfer], None]
"""Called with a transfer whose `sent_at` is known, before it can arrive."""
