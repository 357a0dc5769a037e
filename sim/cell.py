"""Cells: capacity that the links of several devices share, max-min fair, in nearly exact arithmetic.

At any time every active link gets the same rate, except that none gets more than its own limit; what limited links
leave is shared by the others. A link has one active message at a time, its oldest that is not sent. This is fluid
processor sharing with limits, solved by virtual service times: links with the same limit form a tier, all active
links of a tier have been served alike, so a message that starts when the tier has served V bits to each ends when it
has served V + its own bits. Each start or end costs O(log n) for n active links and O(tiers).

Nobody needs to know of an end before the message can arrive, the shortest latency of the cell's links later. So the
cell works out starts and ends together, in their order, when the first of them may matter: it wakes up at most once
in such a latency, and for as many messages as there are by then. Where there is no latency it wakes up for each
start and end. Whoever reads an account lets the cell catch up, which changes neither what happens nor its order.

Accuracy: times are counted in 2^-48 ns, ends rounded up; service in the work of one bit per second in that time,
rounded down. So a cell never serves more than its capacity, and no message ends early. The backlogs of two such
systems never drift further apart by themselves, so errors only add up: after k events of a busy period a message
ends late by less than k 2^-47 ns times the quotient of the cell's capacity and the message's last rate (0.004 ns
after 10^9 events at a thousandth of the capacity). What is told is that end rounded up to a whole nanosecond.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING

from sim.clock import SECOND, Clock, Moment

if TYPE_CHECKING:
    import simpy

    from sim.link import Sent, Transfer

FRACTION = 48
"""Binary digits of a time behind the nanosecond."""
WORK = 8 * SECOND << FRACTION
"""What a byte is in the unit of service: one bit per second during 2^-48 ns."""
NEVER = 1 << 200
"""Later than any time."""


@dataclass(slots=True, eq=False)
class Tier:
    """The links with one limit.

    Attributes:
        limit: bits per second of each; None for none.
        active: heap of the service at which each active message ends, a number that keeps the order, and the link's
            share.
        served: service that each active message would have had since the first one of a busy period of the tier.
        bits, among: the present rate of each, bits per second among so many.

    """

    limit: int | None
    active: list[tuple[int, int, CellShare]] = field(default_factory=list)
    served: int = 0
    bits: int = 0
    among: int = 1


class Cell:
    """One direction of a cell.

    Attributes:
        clock: the one of the run.
        capacity: bits per second; None for no limit.

    """

    def __init__(self, clock: Clock, capacity: int | None) -> None:
        self.clock = clock
        self.capacity = capacity
        self._tiers: list[Tier] = []  # by rising limit
        self._latency = NEVER  # the shortest of all links, nanoseconds
        self._accepted: list[tuple[CellShare, Transfer]] = []  # not worked out yet
        self._ended: list[tuple[Sent, Transfer]] = []  # worked out, but their links do not know
        self._active = 0
        self._starts = 0
        self._time = 0  # of the tiers' service; this and the next in 2^-48 ns
        self._end = NEVER  # of the message that ends first
        self._wakes_at = NEVER  # nanoseconds
        self._wake_up = (self._wake,)

    def join(self, limit: int | None, latency: int, sent: Sent) -> CellShare | None:
        """Return the share of one more link, as described in `sim.link.Sharing`; None in a cell without limit."""
        if self.capacity is None:
            return None
        self._latency = min(self._latency, latency)
        for tier in self._tiers:
            if tier.limit == limit:
                return CellShare(self, tier, sent)
        tier = Tier(limit)
        self._tiers = sorted(
            [*self._tiers, tier], key=lambda each: NEVER if each.limit is None else each.limit
        )
        return CellShare(self, tier, sent)

    def catch_up(self, now: int) -> None:
        """Work out what has started and ended by `now`, in nanoseconds; nothing else happens, whoever asks."""
        if self._accepted:
            for share, transfer in self._accepted:
                time = transfer.queued_at << FRACTION
                if self._end <= time:
                    self._end_messages(time)
                if share.transfer is None:
                    self._start(share, transfer, time)
            self._accepted.clear()
        time = now << FRACTION
        if self._end <= time:
            self._end_messages(time)

    def _watch(self, end: int) -> None:
        """Wake up before what ends at `end`, in nanoseconds, can arrive, unless something wakes the cell before."""
        due = end + self._latency
        if due < self._wakes_at:
            self._wakes_at = due
            self.clock.schedule_at(Moment(self._wake_up), due)

    def _wake(self, _: simpy.Event) -> None:
        """Tell the links what they have sent."""
        now = self.clock.time
        if now != self._wakes_at:
            return  # an earlier event has taken over
        self._wakes_at = NEVER
        self.catch_up(now)
        for sent, transfer in self._ended:
            sent(transfer)
        self._ended.clear()
        if self._active:
            self._watch(-(-self._end >> FRACTION))

    def _start(self, share: CellShare, transfer: Transfer, time: int) -> None:
        """Let a message take part from `time`, in 2^-48 ns, on."""
        elapsed, self._time = time - self._time, time
        for tier in self._tiers:
            if tier.active:
                tier.served += elapsed * tier.bits // tier.among
        tier = share.tier
        if not tier.active:
            tier.served = 0  # a small number is a quick one
        self._active += 1
        self._starts += 1
        share.transfer = transfer
        transfer.start_at = transfer.queued_at
        heappush(tier.active, (tier.served + transfer.wire_bytes * WORK, self._starts, share))
        self._share_out()

    def _end_messages(self, time: int) -> None:
        """End the messages whose end has come by `time`, in 2^-48 ns, and start those that wait for them."""
        while (end := self._end) <= time:
            elapsed, self._time = end - self._time, end
            sent_at = -(-end >> FRACTION)
            for tier in self._tiers:
                active = tier.active
                if not active:
                    continue
                tier.served = served = tier.served + elapsed * tier.bits // tier.among
                while active and active[0][0] <= served:
                    share = active[0][2]
                    transfer = share.transfer
                    assert transfer is not None
                    transfer.sent_at = sent_at
                    self._ended.append((share.sent, transfer))
                    following = transfer.following
                    if following is None or following.queued_at >= sent_at:  # not queued yet at this end
                        share.transfer = None
                        heappop(active)
                        self._active -= 1
                    else:
                        share.transfer = following
                        following.start_at = sent_at
                        self._starts += 1
                        heapreplace(active, (served + following.wire_bytes * WORK, self._starts, share))
            self._share_out()

    def _share_out(self) -> None:
        """Give every tier its rate, and find the first end."""
        assert self.capacity is not None  # or nothing would be shared
        left, among, first = self.capacity, self._active, NEVER
        for tier in self._tiers:
            active = tier.active
            if not active:
                continue
            limit = tier.limit
            if limit is not None and limit * among <= left:
                bits, parts = limit, 1
                left -= limit * len(active)
                among -= len(active)
            else:
                bits, parts = left, among
            tier.bits, tier.among = bits, parts
            end = self._time - (tier.served - active[0][0]) * parts // bits
            first = min(first, end)
        self._end = first


class CellShare:
    """A link's part in a cell.

    Attributes:
        cell: what it is a part of.
        tier: the links with its limit.
        sent: called with each transfer that has been sent.
        transfer: its active message.

    """

    __slots__ = ("cell", "sent", "tier", "transfer")

    def __init__(self, cell: Cell, tier: Tier, sent: Sent) -> None:
        self.cell = cell
        self.tier = tier
        self.sent = sent
        self.transfer: Transfer | None = None

    def accept(self, transfer: Transfer) -> None:
        """Start a message now, unless another of the link is active: then it waits as the one that follows."""
        cell = self.cell
        cell._accepted.append((self, transfer))  # to be worked out later
        cell._watch(transfer.queued_at)

    def catch_up(self, now: int) -> None:
        """Work out which messages have started and ended by `now`."""
        self.cell.catch_up(now)
