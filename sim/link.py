"""Links: first-in first-out transfers in exact arithmetic, and the account of their bytes.

A message of n payload bytes is cut into packets with a header each. Every packet is lost with a fixed probability
and sent again until it arrives, so the number of lost packets is negative binomial; the lost ones take their time
on the link like the others. A server carries one message of the link after another: its own, at the link's
bandwidth, or its share of a cell (`sim.cell`). The message arrives a propagation delay and a random jitter after its
last bit has left, but never before the message sent ahead of it.

A message on a link of its own costs one event, its arrival: with first-in first-out service all else is decided when
it is handed over, and the account is drawn up when somebody reads it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sim.clock import SECOND, Clock, Moment, nanoseconds

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link.

    Attributes:
        bandwidth_mbps: 10^6 bits per second; infinite for no limit.
        latency_ms: propagation delay.
        jitter_ms: mean of the exponential extra delay.
        loss: probability that a packet is lost, below 1.
        packet_bytes: largest payload of a packet.
        header_bytes: header of each packet.

    """

    bandwidth_mbps: float
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    packet_bytes: int = 1460
    header_bytes: int = 40

    def packets(self, payload_bytes: int) -> int:
        """Return how many packets a message is cut into; an empty one is a packet too."""
        return -(-payload_bytes // self.packet_bytes) or 1

    def message_bytes(self, payload_bytes: int) -> int:
        """Return the bytes of a message, its payload and its headers, each sent once."""
        return payload_bytes + self.packets(payload_bytes) * self.header_bytes


class Transfer(Moment):
    """One message on its way, and the event of its arrival; times are nanoseconds and None until they are known.

    Attributes:
        message: counts the messages of the link from 0.
        payload_bytes, header_bytes: what arrives.
        retransmitted_bytes: lost on the way, and sent again.
        wire_bytes: all that the link carries for the message, the sum of the three.
        content: handed to the receiver.
        queued_at: when it was handed over.
        start_at, sent_at: when its first and its last bit leave; a link of its own knows both beforehand.
        delivered_at: when it arrived.
        following: the next unfinished one of the link.

    """

    __slots__ = (
        "content",
        "delivered_at",
        "following",
        "header_bytes",
        "message",
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
        arrive: tuple[Callable[[Transfer], None], ...],
    ) -> None:
        self.message = message
        self.payload_bytes = payload_bytes
        self.header_bytes = header_bytes
        self.retransmitted_bytes = retransmitted_bytes
        self.wire_bytes = payload_bytes + header_bytes + retransmitted_bytes
        self.content = content
        self.queued_at = queued_at
        self.callbacks = arrive
        self.start_at: int | None = None
        self.sent_at: int | None = None
        self.delivered_at: int | None = None
        self.following: Transfer | None = None

    def has_started(self, time: int) -> bool:
        """Tell whether its turn has come by `time`, in nanoseconds."""
        return self.start_at is not None and self.start_at <= time


@dataclass
class Ledger:
    """Bytes of one link by their state: at any time sent = delivered + lost + in_flight.

    A message's bytes are queued until its turn comes; then all of them are sent, and in flight until it arrives.
    """

    queued: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    in_flight: int = 0


Sent = Callable[[Transfer], None]
"""Called with a transfer whose `sent_at` is known, before it can arrive."""


class Share(Protocol):
    """A link's part in something that several links share."""

    def accept(self, transfer: Transfer) -> None:
        """Carry a transfer, queued now, after those before it: note its start and its end, and tell of the end."""

    def catch_up(self, now: int) -> None:
        """Note every start and end that has come by `now`, in nanoseconds."""


class Sharing(Protocol):
    """Something that several links share, such as a cell."""

    def join(self, limit: int | None, latency: int, sent: Sent) -> Share | None:
        """Return the share of one more link, limited to so many bits per second (None: unlimited) on its own account.

        `sent` is called at most `latency` nanoseconds after the end of a transfer. None where there is nothing to
        share, and the link is as good as a private one.
        """


def bits_per_second(mbps: float) -> int | None:
    """Return a bandwidth of 10^6 bits per second in whole bits per second, at least 1; None where it is infinite."""
    return None if math.isinf(mbps) else max(1, round(mbps * 1e6))


class Link:
    """One direction of one device's link.

    Attributes:
        clock: the one of the run.
        direction: its properties.
        receive: called with the content of each message when it arrives.
        observe: called with each transfer when it has arrived.

    """

    __slots__ = (
        "_arrive",
        "_bits_per_second",
        "_busy_bits",
        "_busy_from",
        "_delivered",
        "_free_at",
        "_jitter",
        "_last_delivery",
        "_latency",
        "_loss",
        "_lost",
        "_messages",
        "_newest",
        "_oldest",
        "_share",
        "clock",
        "direction",
        "observe",
        "receive",
    )

    def __init__(
        self,
        clock: Clock,
        direction: Direction,
        generator: Callable[[], np.random.Generator],
        receive: Callable[[Any], None],
        observe: Callable[[Transfer], None],
        sharing: Sharing | None = None,
    ) -> None:
        """Create a link of its own, or a part of `sharing`; `generator` is called where there are numbers to draw."""
        self.clock = clock
        self.direction = direction
        self.receive = receive
        self.observe = observe
        self._loss = self._jitter = None
        if direction.loss or direction.jitter_ms:
            loss, jitter = generator().spawn(2)  # so that a change of one leaves the other's draws
            self._loss = loss if direction.loss else None
            self._jitter = jitter if direction.jitter_ms else None
        self._latency = nanoseconds(direction.latency_ms / 1000)
        self._bits_per_second = bits_per_second(direction.bandwidth_mbps)
        self._share = (
            None if sharing is None else sharing.join(self._bits_per_second, self._latency, self._depart)
        )
        self._arrive = (self._deliver,)
        self._oldest: Transfer | None = None
        self._newest: Transfer | None = None
        self._messages = self._delivered = self._lost = 0
        self._busy_from = self._busy_bits = self._free_at = self._last_delivery = 0

    @property
    def unfinished(self) -> Iterator[Transfer]:
        """The transfers that have not arrived, in order, with what is known of them by now."""
        if self._share is not None:
            self._share.catch_up(self.clock.time)
        transfer = self._oldest
        while transfer is not None:
            yield transfer
            transfer = transfer.following

    @property
    def ledger(self) -> Ledger:
        """The account at this moment; it does not change with the link."""
        now = self.clock.time
        queued = in_flight = 0
        for transfer in self.unfinished:
            if transfer.has_started(now):
                in_flight += transfer.wire_bytes
            else:
                queued += transfer.wire_bytes
        sent = self._delivered + self._lost + in_flight
        return Ledger(queued, sent, self._delivered, self._lost, in_flight)

    def send(self, payload_bytes: int, content: Any) -> Transfer:
        """Hand over a message; it is received when its last packet has arrived."""
        direction = self.direction
        packets = direction.packets(payload_bytes)
        header_bytes = packets * direction.header_bytes
        lost_bytes = 0
        if self._loss is not None:
            lost = int(self._loss.negative_binomial(packets, 1 - direction.loss))
            # Lost packets are counted at the message's mean packet size, rounded up.
            lost_bytes = -(-lost * (payload_bytes + header_bytes) // packets)
        transfer = Transfer(
            self._messages, payload_bytes, header_bytes, lost_bytes, content, self.clock.time, self._arrive
        )
        self._messages += 1
        if self._share is None:
            self._serve(transfer)
        else:
            self._share.accept(transfer)
        if self._newest is None:
            self._oldest = transfer
        else:
            self._newest.following = transfer
        self._newest = transfer
        return transfer

    def _serve(self, transfer: Transfer) -> None:
        """Decide when a link of its own carries a transfer; with first-in first-out service all is known at once.

        Within a busy period, each end is the period's start plus all work since divided by the rate, rounded up once:
        rounding never accumulates.
        """
        start = self._free_at
        if start <= transfer.queued_at:
            start = self._busy_from = transfer.queued_at
            self._busy_bits = 0
        transfer.start_at = start
        if self._bits_per_second is None:
            transfer.sent_at = start
            self._depart(transfer)
            return
        self._busy_bits += 8 * transfer.wire_bytes
        end = self._busy_from - (-self._busy_bits * SECOND // self._bits_per_second)
        transfer.sent_at = self._free_at = end
        self._depart(transfer)

    def _depart(self, transfer: Transfer) -> None:
        """Schedule the arrival of a transfer, since it is known when its last bit leaves."""
        assert transfer.sent_at is not None
        delivery = transfer.sent_at + self._latency
        if self._jitter is not None:
            delivery += nanoseconds(self._jitter.exponential(self.direction.jitter_ms / 1000))
        if delivery < self._last_delivery:
            delivery = self._last_delivery
        else:
            self._last_delivery = delivery
        self.clock.schedule_at(transfer, delivery)

    def _deliver(self, transfer: Transfer) -> None:
        """Let the oldest transfer arrive; arrivals keep the order."""
        self._oldest = following = transfer.following
        if following is None:
            self._newest = None
        else:
            transfer.following = None  # who keeps the transfer does not keep all that came after it
        transfer.delivered_at = self.clock.time
        self._delivered += transfer.payload_bytes + transfer.header_bytes
        self._lost += transfer.retransmitted_bytes
        self.observe(transfer)
        self.receive(transfer.content)
