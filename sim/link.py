"""Links: fluid, first-in first-out transfers in exact arithmetic, and the account of their bytes.

A message of n payload bytes is cut into packets with a header each. Every packet is lost with a fixed probability
and sent again until it arrives, so the number of lost packets is negative binomial; the lost ones take their time
on the link like the others. The link serves one message after another at its bandwidth; the message arrives a
propagation delay and a random jitter after its last bit has left, but never before the message sent ahead of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sim.clock import SECOND, Clock, nanoseconds


@dataclass(frozen=True)
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


@dataclass
class Transfer:
    """One message on its way; times are nanoseconds and None until they are known.

    Attributes:
        message: counts the messages of the link from 0.
        payload_bytes, header_bytes: what arrives.
        retransmitted_bytes: lost on the way, and sent again.
        content: handed to the receiver.

    """

    message: int
    payload_bytes: int
    header_bytes: int
    retransmitted_bytes: int
    content: object
    queued_at: int
    start_at: int | None = None
    sent_at: int | None = None
    delivered_at: int | None = None

    @property
    def arriving_bytes(self) -> int:
        """Payload and headers."""
        return self.payload_bytes + self.header_bytes

    @property
    def wire_bytes(self) -> int:
        """All bytes that the link carries for the message."""
        return self.arriving_bytes + self.retransmitted_bytes


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

    def queue(self, transfer: Transfer) -> None:
        """The message waits for its turn."""
        self.queued += transfer.wire_bytes

    def send(self, transfer: Transfer) -> None:
        """The message's turn has come."""
        self.queued -= transfer.wire_bytes
        self.sent += transfer.wire_bytes
        self.in_flight += transfer.wire_bytes

    def deliver(self, transfer: Transfer) -> None:
        """The message has arrived."""
        self.in_flight -= transfer.wire_bytes
        self.delivered += transfer.arriving_bytes
        self.lost += transfer.retransmitted_bytes


@dataclass
class Service:
    """The exact fluid clock of a server of constant rate.

    Within a busy period, the end of each piece of work is the period's start plus all work since divided by the
    rate, rounded up once: rounding never accumulates.

    Attributes:
        bits_per_second: the rate; None for no limit.

    """

    bits_per_second: int | None
    _busy_from: int = 0
    _busy_bits: int = 0

    def serve(self, now: int, bits: int) -> int:
        """Return when `bits` that arrive at `now` (nanoseconds, never decreasing) are done."""
        if self.bits_per_second is None:
            return now
        if now >= self._end():
            self._busy_from, self._busy_bits = now, 0
        self._busy_bits += bits
        return self._end()

    def _end(self) -> int:
        assert self.bits_per_second is not None
        return self._busy_from - (-self._busy_bits * SECOND // self.bits_per_second)


@dataclass
class Link:
    """One direction of one device's link.

    Attributes:
        clock: the one of the run.
        direction: its properties.
        generator: for loss and jitter.
        receive: called with the content of each message when it arrives.
        observe: called with each transfer when it has arrived.

    """

    clock: Clock
    direction: Direction
    generator: np.random.Generator
    receive: Callable[[object], None]
    observe: Callable[[Transfer], None]
    ledger: Ledger = field(default_factory=Ledger)
    unfinished: deque[Transfer] = field(default_factory=deque)
    _messages: int = 0
    _last_delivery: int = 0

    def __post_init__(self) -> None:
        rate = self.direction.bandwidth_mbps
        bits_per_second = None if math.isinf(rate) else max(1, round(rate * 1e6))
        self._service = Service(bits_per_second)
        self._loss, self._jitter = self.generator.spawn(2)  # so that a change of one leaves the other's draws
        self._free_at = 0

    def send(self, payload_bytes: int, content: object) -> Transfer:
        """Hand over a message; it is received when its last packet has arrived."""
        transfer = self._packetise(payload_bytes, content)
        self.ledger.queue(transfer)
        self.unfinished.append(transfer)
        if self._free_at <= self.clock.time:
            self._start(transfer)
        else:
            self.clock.call_at(self._free_at, lambda: self._start(transfer))
        # With first-in first-out service all is decided now; the events only tell it when it happens.
        self._free_at = self._service.serve(self.clock.time, 8 * transfer.wire_bytes)
        delay = nanoseconds(self.direction.latency_ms / 1000)
        if self.direction.jitter_ms:
            delay += nanoseconds(self._jitter.exponential(self.direction.jitter_ms / 1000))
        self._last_delivery = max(self._last_delivery, self._free_at + delay)
        sent_at = self._free_at
        self.clock.call_at(self._last_delivery, lambda: self._deliver(transfer))
        transfer.sent_at = sent_at
        return transfer

    def _packetise(self, payload_bytes: int, content: object) -> Transfer:
        direction = self.direction
        packets = max(1, -(-payload_bytes // direction.packet_bytes))
        header_bytes = packets * direction.header_bytes
        lost = int(self._loss.negative_binomial(packets, 1 - direction.loss)) if direction.loss else 0
        # Lost packets are counted at the message's mean packet size, rounded up.
        lost_bytes = -(-lost * (payload_bytes + header_bytes) // packets)
        number, self._messages = self._messages, self._messages + 1
        return Transfer(number, payload_bytes, header_bytes, lost_bytes, content, self.clock.time)

    def _start(self, transfer: Transfer) -> None:
        transfer.start_at = self.clock.time
        self.ledger.send(transfer)

    def _deliver(self, transfer: Transfer) -> None:
        transfer.delivered_at = self.clock.time
        self.unfinished.remove(transfer)
        self.ledger.deliver(transfer)
        self.observe(transfer)
        self.receive(transfer.content)
