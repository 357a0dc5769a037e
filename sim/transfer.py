"""A message on its way over a link, and the account of a link's bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.clock import Moment

if TYPE_CHECKING:
    from sim.link import Link


class Transfer(Moment):
    """One message on its way, and the event of its arrival; times are nanoseconds and None until they are known.

    Attributes:
        message: counts the messages of the link from 0.
        payload_bytes, header_bytes: what arrives.
        retransmitted_bytes: lost on the way or sent in an attempt that failed, and sent again.
        copies_bytes: of these, those of packets lost on the way.
        wire_bytes: all that the link carries for the message, the sum of the three.
        link: which carries it.
        content: handed to the receiver.
        attempts: how often its sending began; more than once only where an outage makes it fail.
        fails: whether its last attempt fails; a line of its own knows it beforehand.
        failures: of attempts, in order, that a line of its own knows beforehand; None where it knew of none.
        pauses: when an outage or the wait after a failed attempt kept it from being sent, between start and end: from
            and to, None for good. None where there was no such time.
        fate: why it has not arrived and never will: dropped or superseded before its turn, or failed; None otherwise.
        queued_at: when it was handed over.
        start_at, sent_at: when its turn comes, and when its last bit leaves; a link of its own knows both beforehand.
        delivered_at: when it arrived.
        following: the next unfinished one of the link.

    """

    __slots__ = (
        "attempts",
        "content",
        "copies_bytes",
        "delivered_at",
        "fails",
        "failures",
        "fate",
        "following",
        "header_bytes",
        "link",
        "message",
        "pauses",
        "payload_bytes",
        "queued_at",
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
        link: Link,
    ) -> None:
        self.message = message
        self.payload_bytes = payload_bytes
        self.header_bytes = header_bytes
        self.retransmitted_bytes = self.copies_bytes = retransmitted_bytes
        self.wire_bytes = payload_bytes + header_bytes + retransmitted_bytes
        self.content = content
        self.attempts = 1
        self.fails = False
        self.failures: deque[Failure] | None = None
        self.pauses: list[tuple[int, int | None]] | None = None
        self.fate: str | None = None
        self.queued_at = queued_at
        self.link = link
        self.callbacks = ARRIVE
        self.start_at: int | None = None
        self.sent_at: int | None = None
        self.delivered_at: int | None = None
        self.following: Transfer | None = None

    def has_started(self, time: int) -> bool:
        """Tell whether its turn has come by `time`, in nanoseconds."""
        return self.start_at is not None and self.start_at <= time

    def pause(self, begin: int, end: int | None) -> None:
        """Note that nothing of it is sent from `begin` to `end`, in nanoseconds; None: for good."""
        if self.pauses is None:
            self.pauses = []
        self.pauses.append((begin, end))

    def sending(self, now: int) -> int:
        """Return for how many nanoseconds by `now` it has been on its way out, pauses left out."""
        if self.start_at is None:
            return 0
        end = now if self.sent_at is None else min(self.sent_at, now)
        spent = max(0, end - self.start_at)
        for begin, resumed in self.pauses or ():
            spent -= max(0, (end if resumed is None else min(resumed, end)) - begin)
        return spent

    def fail_attempt(self, failure: Failure) -> None:
        """Take in that an attempt has failed; after the last one only what attempts have wasted remains to be lost."""
        self.attempts = failure.attempts
        self.retransmitted_bytes += failure.wasted
        if not failure.goes_on:
            self.fails = True
            self.retransmitted_bytes -= self.copies_bytes
        self.wire_bytes = self.payload_bytes + self.header_bytes + self.retransmitted_bytes

    def foresee(self, failure: Failure) -> None:
        """Note beforehand that an attempt fails; its bytes are taken in when its time has come."""
        if self.failures is None:
            self.failures = deque()
        self.failures.append(failure)
        self.fails = not failure.goes_on

    def catch_up(self, now: int) -> None:
        """Take in the foreseen failures that have come by `now`, in nanoseconds."""
        while self.failures and self.failures[0].time <= now:
            self.fail_attempt(self.failures.popleft())


class Failure(NamedTuple):
    """The failure of an attempt to send a message.

    Attributes:
        time: in nanoseconds.
        wasted: bytes that were sent in it.
        attempts: how many there have been when the message goes on, with those that find the link down meanwhile.
        goes_on: whether it does.

    """

    time: int
    wasted: int
    attempts: int
    goes_on: bool


def arrive(transfer: Transfer) -> None:
    """Let a transfer arrive."""
    transfer.link.deliver(transfer)


ARRIVE = (arrive,)
"""What all transfers have for callbacks: a tuple and a method of each link would cost a large fleet memory and time."""


@dataclass
class Ledger:
    """Bytes of one link by their state: at any time sent = delivered + lost + in_flight.

    A message's bytes are queued until its turn comes; then all of them are sent, and in flight until it arrives. What
    attempts that failed have sent comes to it, to be lost when it arrives. When a message has failed for good that is
    all that was sent, and its own bytes are dropped, as those of a message that was dropped or superseded before its
    turn. So queued + sent + dropped is at any time what was handed over and what was wasted by then, and grows, but for
    copies of lost packets that a message which fails for good does not come to send.
    """

    queued: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    in_flight: int = 0
    dropped: int = 0


Sent = Callable[[Transfer], None]
"""Called with a transfer whose `sent_at` is known, before it can arrive."""
