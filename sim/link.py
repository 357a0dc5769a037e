"""Links: transfers in exact arithmetic, one after another, and the account of their bytes.

A message of n payload bytes is cut into packets with a header each. Every packet is lost with a fixed probability p
and sent again until it arrives (selective repeat), so the number of lost packets is negative binomial, with mean
p / (1 - p) for each packet; the lost ones take their time on the link like the others. The goodput is so on average
bandwidth * (1 - p) * payload / (payload + header): the efficiency of ideal selective repeat, Bertsekas and Gallager,
Data Networks, 2nd edition, section 2.4.

One message of the link is carried after another: at the link's constant bandwidth, by a line whose capacity varies or
which outages interrupt (`sim.line`), or by its share of a cell (`sim.cell`). The message arrives a propagation delay
and a random jitter after its last bit has left, but never before the message sent ahead of it.

A message on a link of its own costs one event, its arrival: with first-in first-out service all else is decided when
it is handed over, and the account is drawn up when somebody reads it. Where messages wait in an outbox (`sim.outbox`),
from which they can go before their turn, each has an event for its turn besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sim.clock import SECOND, Clock, nanoseconds
from sim.streams import spawn
from sim.transfer import Ledger, Sent, Transfer

if TYPE_CHECKING:
    import numpy as np

    from scenarios.network import LatencyDistribution, Retry
    from sim.outages import Outages
    from sim.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link.

    Attributes:
        bandwidth_mbps: 10^6 bits per second; infinite for no limit.
        latency_ms: propagation delay, or the least of it where `latency` says how it is distributed.
        jitter_ms: mean of the exponential extra delay.
        loss: probability that a packet is lost, below 1.
        packet_bytes: largest payload of a packet.
        header_bytes: header of each packet.
        message_overhead_bytes: beside the headers, once for each message.
        latency: distribution of the propagation delay; None for a constant one.

    """

    bandwidth_mbps: float
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    packet_bytes: int = 1460
    header_bytes: int = 40
    message_overhead_bytes: int = 0
    latency: LatencyDistribution | None = None

    def packets(self, payload_bytes: int) -> int:
        """Return how many packets a message is cut into; an empty one is a packet too."""
        return -(-payload_bytes // self.packet_bytes) or 1

    def message_bytes(self, payload_bytes: int) -> int:
        """Return the bytes of a message, its payload and its headers, each sent once."""
        return payload_bytes + self.packets(payload_bytes) * self.header_bytes + self.message_overhead_bytes


@dataclass(frozen=True, slots=True)
class Access:
    """How a link takes part in what carries its messages.

    Attributes:
        limit: bits per second on its own account; None for no limit.
        latency: from the end of a message to its arrival at least, in nanoseconds.
        sent: called at most so long after the end of a message.
        ended: called with a message that has ended, before the next one is looked for: one that waits in an outbox then
            follows it; None where nothing does.
        outages: when the link is down; None for never.
        retry: what happens to a message that an outage meets: it is sent again, or for None goes on afterwards.

    """

    limit: int | None
    latency: int
    sent: Sent
    ended: Sent | None = None
    outages: Outages | None = None
    retry: Retry | None = None


class Share(Protocol):
    """A link's part in something that carries its messages."""

    def accept(self, transfer: Transfer) -> None:
        """Carry a transfer, ready now, after those before it: note its start and its end, and tell of the end."""

    def catch_up(self, now: int) -> None:
        """Note every start and end that has come by `now`, in nanoseconds."""


class Sharing(Protocol):
    """Something that carries the messages of links, such as a cell."""

    def join(self, access: Access) -> Share | None:
        """Return the share of one more link; None where it is as good as one of constant capacity on its own."""


def bits_per_second(mbps: float) -> int | None:
    """Return a bandwidth of 10^6 bits per second in whole bits per second, at least 1; None where it is infinite."""
    return None if math.isinf(mbps) else max(1, round(mbps * 1e6))


class Link:
    """One direction of one device's link.

    Attributes:
        clock: the one of the run.
        direction: its properties.
        receive: called with the content of each message when it arrives.
        observe: called with each transfer when it has arrived, or will not.
        arrived: called with each transfer that has arrived besides, to acknowledge it; None for nobody.
        gone: called with the content of each message that never will; None for nobody.
        measures_rate: whether to note how fast messages go.
        rate: bits per second that its sender can expect: those of the last message that has arrived, where they are
            measured, and before any the link's own; None for no limit.

    """

    __slots__ = (
        "_bits_per_second",
        "_busy_bits",
        "_busy_from",
        "_carried",
        "_delivered",
        "_dropped",
        "_free_at",
        "_jitter",
        "_last_delivery",
        "_latency",
        "_loss",
        "_lost",
        "_messages",
        "_newest",
        "_oldest",
        "_outbox",
        "_propagation",
        "_share",
        "_varies",
        "arrived",
        "clock",
        "direction",
        "gone",
        "measures_rate",
        "observe",
        "rate",
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
        outbox: Outbox | None = None,
        outages: Outages | None = None,
        retry: Retry | None = None,
    ) -> None:
        """Create a link of constant capacity, or one that `sharing` carries; only there can outages meet it.

        `generator` is called where there are numbers to draw.
        """
        self.clock = clock
        self.direction = direction
        self.receive = receive
        self.observe = observe
        self.arrived: Callable[[Transfer], None] | None = None
        self.gone: Callable[[Any], None] | None = None
        self._loss = self._jitter = self._propagation = None
        if direction.loss or direction.jitter_ms or direction.latency is not None:
            loss, jitter, latency = spawn(generator(), 3)  # so that a change of one leaves the other's draws
            self._loss = loss if direction.loss else None
            self._jitter = jitter if direction.jitter_ms else None
            self._propagation = None if direction.latency is None else direction.latency.sampler(latency)
        self._varies = self._jitter is not None or self._propagation is not None
        self._latency = nanoseconds(direction.latency_ms / 1000)
        self._bits_per_second = bits_per_second(direction.bandwidth_mbps)
        self._outbox = outbox
        self._carried: Transfer | None = None  # which the outbox has let go, and the link still sends
        told_within, ended = (self._latency, None) if outbox is None else (0, self._let_follow)
        access = Access(self._bits_per_second, told_within, self._depart, ended, outages, retry)
        self._share = None if sharing is None else sharing.join(access)
        self._oldest: Transfer | None = None
        self._newest: Transfer | None = None
        self.measures_rate = False
        self.rate = self._bits_per_second
        self._messages = self._delivered = self._lost = self._dropped = 0
        self._busy_from = self._busy_bits = self._free_at = self._last_delivery = 0

    @property
    def unfinished(self) -> Iterator[Transfer]:
        """The transfers that have not arrived, in order, with what is known of them by now."""
        if self._share is not None:
            self._share.catch_up(self.clock.time)
        transfer = self._oldest
        while transfer is not None:
            transfer.catch_up(self.clock.time)
            yield transfer
            transfer = transfer.following
        if self._outbox is not None:
            yield from self._outbox.waiting

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
        return Ledger(queued, sent, self._delivered, self._lost, in_flight, self._dropped)

    def send(self, payload_bytes: int, content: Any) -> Transfer:
        """Hand over a message; it is received when its last packet has arrived."""
        direction = self.direction
        packets = direction.packets(payload_bytes)
        header_bytes = packets * direction.header_bytes + direction.message_overhead_bytes
        lost_bytes = 0
        if self._loss is not None:
            lost = int(self._loss.negative_binomial(packets, 1 - direction.loss))
            # Lost packets are counted at the message's mean packet size, rounded up.
            lost_bytes = -(-lost * (payload_bytes + header_bytes) // packets)
        transfer = Transfer(
            self._messages, payload_bytes, header_bytes, lost_bytes, content, self.clock.time, self
        )
        self._messages += 1
        if self._outbox is None:
            self._launch(transfer)
            return transfer
        self._take_turns()  # it may be free from this very moment on
        if self._carried is None:
            self._carried = transfer
            self._launch(transfer)
        else:
            self._drop(self._outbox.put(transfer))
        return transfer

    def forget(self) -> None:
        """Drop what waits in the outbox."""
        if self._outbox is not None:
            self._drop(self._outbox.clear())

    def _drop(self, transfers: list[Transfer]) -> None:
        for transfer in transfers:
            self._dropped += transfer.wire_bytes
            self._lose(transfer)

    def _lose(self, transfer: Transfer) -> None:
        self.observe(transfer)
        if self.gone is not None:
            self.gone(transfer.content)

    def acknowledge(self, size: int, content: Any) -> Transfer:
        """Hand over an acknowledgement of `size` bytes, all headers: it passes by an outbox, and no packet is lost."""
        transfer = Transfer(self._messages, 0, size, 0, content, self.clock.time, self)
        self._messages += 1
        self._launch(transfer)
        return transfer

    def _launch(self, transfer: Transfer) -> None:
        """Let a message be carried after those before it; at a constant capacity it is known at once when.

        Within a busy period, each end is the period's start plus all work since divided by the rate, rounded up once:
        rounding never accumulates.
        """
        self._append(transfer)
        if self._share is not None:
            self._share.accept(transfer)
            return
        start, ready, rate = self._free_at, transfer.queued_at, self._bits_per_second
        if start <= ready:
            start = self._busy_from = ready
            self._busy_bits = 0
        transfer.start_at = end = start
        if rate is not None:
            bits = self._busy_bits = self._busy_bits + 8 * transfer.wire_bytes
            end = self._free_at = self._busy_from - (-bits * SECOND // rate)
        transfer.sent_at = end
        self._depart(transfer)

    def _append(self, transfer: Transfer) -> None:
        if self._newest is None:
            self._oldest = transfer
        else:
            self._newest.following = transfer
        self._newest = transfer

    def _depart(self, transfer: Transfer) -> None:
        """Schedule the arrival of a transfer, since it is known when its last bit leaves."""
        assert transfer.sent_at is not None
        delivery = transfer.sent_at + self._latency
        if self._varies:
            delivery = self._delivery(transfer, delivery)
        self.clock.schedule_at(transfer, delivery)
        if transfer is self._carried:
            self.clock.call_at(transfer.sent_at, self._take_turns)

    def _delivery(self, transfer: Transfer, soonest: int) -> int:
        """Return when a transfer arrives whose delay is drawn: not before those ahead of it."""
        assert transfer.sent_at is not None
        delivery = (
            soonest if self._propagation is None else transfer.sent_at + nanoseconds(self._propagation())
        )
        if self._jitter is not None:
            delivery += nanoseconds(self._jitter.exponential(self.direction.jitter_ms / 1000))
        if transfer.fails:  # it does not arrive, so nothing has to wait for it; its draws stay its own
            delivery = soonest
        self._last_delivery = max(delivery, self._last_delivery)
        return self._last_delivery

    def _let_follow(self, transfer: Transfer) -> None:
        """Let the outbox say who is behind a message that has ended, if it has let go that one."""
        if transfer is self._carried:
            assert self._outbox is not None
            following = self._carried = self._outbox.take()
            if following is not None:
                self._append(following)

    def _take_turns(self) -> None:
        """Let the outbox say who is the next, as often as what it has let go is sent by now.

        A cell asks by itself, since the next one begins at the exact end of the one before.
        """
        assert self._outbox is not None
        now = self.clock.time
        if self._share is not None:
            self._share.catch_up(now)
        while (
            self._carried is not None and self._carried.sent_at is not None and self._carried.sent_at <= now
        ):
            following = self._carried = self._outbox.take()
            if following is not None:
                self._launch(following)

    def deliver(self, transfer: Transfer) -> None:
        """Let the oldest transfer arrive, unless it has failed; arrivals keep the order."""
        self._oldest = following = transfer.following
        if following is None:
            self._newest = None
        else:
            transfer.following = None  # who keeps the transfer does not keep all that came after it
        if transfer.failures is not None:
            transfer.catch_up(self.clock.time)
        if transfer.retransmitted_bytes:
            self._lost += transfer.retransmitted_bytes
        if transfer.fails:
            transfer.fate = "failed"
            self._dropped += transfer.payload_bytes + transfer.header_bytes
            self._lose(transfer)
            return
        if self.measures_rate:
            self._measure(transfer)
        transfer.delivered_at = self.clock.time
        self._delivered += transfer.payload_bytes + transfer.header_bytes
        self.observe(transfer)
        if self.arrived is not None:
            self.arrived(transfer)
        self.receive(transfer.content)

    def _measure(self, transfer: Transfer) -> None:
        """Note how fast a transfer went; one that took no time says nothing."""
        if transfer.start_at is None or transfer.sent_at is None or transfer.sent_at == transfer.start_at:
            self.rate = self._bits_per_second
        else:
            self.rate = max(1, 8 * transfer.wire_bytes * SECOND // (transfer.sent_at - transfer.start_at))
