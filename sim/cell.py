"""Cells: capacity that the links of several devices share, max-min fair, in nearly exact arithmetic.

At any time every active link gets the same rate, except that none gets more than its own limit; what limited links
leave is shared by the others. A link has one active message at a time, its oldest that is not sent. This is fluid
processor sharing with limits, solved by virtual service times: links with the same limit form a tier, all active
links of a tier have been served alike, so a message that starts when the tier has served V bits to each ends when it
has served V + its own bits. Each start, end or interruption costs O(log n) for n active links and O(tiers), and so does
each change of the capacity.

A link that is down takes no part: its message keeps what has been served and goes on afterwards, or has failed and is
sent again as a whole.

Nobody needs to know of an end before the message can arrive, the shortest latency of the cell's links later. So the
cell works out what happens together, in its order, when the first of it may matter: it wakes up at most once
in such a latency, and for as many messages as there are by then. Where there is no latency it wakes up each time.
Whoever reads an account lets the cell catch up, which changes neither what happens nor its order.

Accuracy: times are counted in 2^-48 ns, ends rounded up; service in the work of one bit per second in that time,
rounded down. So a cell never serves more than its capacity, and no message ends early. The backlogs of two such
systems never drift further apart by themselves, so errors only add up: after k events of a busy period a message
ends late by less than k 2^-47 ns times the quotient of the cell's capacity and the message's last rate (0.004 ns
after 10^9 events at a thousandth of the capacity). What is told is that end rounded up to a whole nanosecond, but for
what lacks no more than 2^-20 ns of one: as long as errors have not added up to more, a message that ends at a whole
nanosecond is not late by another one, and what comes at that very moment finds its link free. Where an outage begins or
the capacity changes, so little would make a message that has just been sent wait, or fail: there too what lacks no more
than 2^-20 ns has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING

from sim.clock import SECOND, Clock, Moment
from sim.outages import Watch, next_attempt
from sim.transfer import Failure

if TYPE_CHECKING:
    import simpy

    from sim.link import Access
    from sim.transfer import Sent, Transfer

FRACTION = 48
"""Binary digits of a time behind the nanosecond."""
WORK = 8 * SECOND << FRACTION
"""What a byte is in the unit of service: one bit per second during 2^-48 ns."""
SLACK = FRACTION - 20
"""Binary digits of 2^-20 ns."""
GRACE = 1 << SLACK
"""What happens so soon after a whole nanosecond, in 2^-48 ns, is told to have happened then."""
NEVER = 1 << 200
"""Later than any time."""


@dataclass(slots=True, eq=False)
class Tier:
    """The links with one limit.

    Attributes:
        limit: bits per second of each; None for none.
        active: heap of the service at which each active message ends, a number that keeps the order, and the link's
            share; entries whose number is not their share's any more count for nothing.
        count: active messages.
        served: service that each active message would have had since the first one of a busy period of the tier.
        bits, among: the present rate of each, bits per second among so many.

    """

    limit: int | None
    active: list[tuple[int, int, CellShare]] = field(default_factory=list)
    count: int = 0
    served: int = 0
    bits: int = 0
    among: int = 1


class Cell:
    """One direction of a cell.

    Attributes:
        clock: the one of the run.
        capacity: bits per second at present; None for no limit.

    """

    def __init__(
        self,
        clock: Clock,
        capacity: int | None,
        changes: Iterator[tuple[int, int]] | None = None,
        until: int = NEVER,
    ) -> None:
        """Create a cell; `changes` are later capacities: times in nanoseconds that increase, and bits per second.

        After `until` nothing is sent again.
        """
        self.clock = clock
        self.capacity = capacity
        self._tiers: list[Tier] = []  # by rising limit
        self._latency = NEVER  # the shortest of all links, nanoseconds
        self._accepted: list[tuple[CellShare, Transfer]] = []  # not worked out yet
        self._ended: list[tuple[Sent, Transfer]] = []  # worked out, but their links do not know
        self._engaged = 0  # shares with a message, active or interrupted
        self._entries = 0
        self._time = 0  # of the tiers' service; this and the next in 2^-48 ns
        self._next = NEVER  # when something happens by itself: a message ends, or as follows
        self._disturbed_at = NEVER  # when the capacity changes or a share goes down or on
        self._wakes_at = NEVER  # nanoseconds
        self._wake_up = (self._wake,)
        self._until = until
        self._capacities = iter(()) if changes is None else changes
        self._coming = next(self._capacities, None)
        self._turning: list[tuple[int, int, CellShare]] = []  # heap: when a share goes down or goes on
        self._share_out()

    def join(self, access: Access) -> CellShare | None:
        """Return the share of one more link, as described in `sim.link.Sharing`; None in a cell without limit."""
        if self.capacity is None:
            return None
        self._latency = min(self._latency, access.latency)
        for tier in self._tiers:
            if tier.limit == access.limit:
                return CellShare(self, tier, access)
        tier = Tier(access.limit)
        self._tiers = sorted(
            [*self._tiers, tier], key=lambda each: NEVER if each.limit is None else each.limit
        )
        return CellShare(self, tier, access)

    def catch_up(self, now: int) -> None:
        """Work out what has happened by `now`, in nanoseconds; nothing else happens, whoever asks."""
        if self._accepted:
            for share, transfer in self._accepted:
                time = transfer.queued_at << FRACTION
                if self._next <= time + GRACE:
                    self._advance(time + GRACE)
                if share.transfer is None:
                    self._serve(time)
                    self._take(share, transfer, transfer.queued_at)
                    self._share_out()
            self._accepted.clear()
        time = (now << FRACTION) + GRACE
        if self._next <= time:
            self._advance(time)

    def _watch(self, time: int) -> None:
        """Wake up before what happens at `time`, in nanoseconds, can matter, unless something wakes the cell before."""
        due = time + self._latency
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
        if self._engaged and self._next < NEVER:
            self._watch(_told(self._next))

    def _serve(self, time: int) -> None:
        """Let service go on until `time`, in 2^-48 ns, unless it has gone on for a moment's grace longer."""
        if time <= self._time:
            return
        elapsed, self._time = time - self._time, time
        for tier in self._tiers:
            if tier.count:
                tier.served += elapsed * tier.bits // tier.among

    def _advance(self, time: int) -> None:
        """Let happen what happens by itself by `time`, in 2^-48 ns."""
        while (now := self._next) <= time:
            self._serve(now)
            moment = _told(now)
            disturbed = self._disturbed_at <= now
            for tier in self._tiers:
                if tier.count:
                    slack = (tier.bits << SLACK) // tier.among if disturbed else 0
                    if tier.active[0][0] <= tier.served + slack:
                        self._end_messages(tier, moment, slack)
            if disturbed:
                self._disturb(now)
            self._share_out()

    def _disturb(self, now: int) -> None:
        """Let shares go down or on and the capacity change as they do by `now`, in 2^-48 ns."""
        while self._turning and self._turning[0][0] << FRACTION <= now:
            turn, _, share = heappop(self._turning)
            if share.turns_at == turn:
                share.turns_at = None
                self._turn(share, turn)
        while self._coming is not None and self._coming[0] << FRACTION <= now:
            self.capacity = self._coming[1]
            self._coming = next(self._capacities, None)

    def _end_messages(self, tier: Tier, moment: int, slack: int) -> None:
        """End the messages of a tier that lack no more than `slack`, and start those that wait for them."""
        active = tier.active
        while active and active[0][0] <= tier.served + slack:
            _, entry, share = active[0]
            if entry != share.entry:
                heappop(active)
                continue
            transfer = share.transfer
            assert transfer is not None
            following = self._finish(share, transfer, moment)
            if following is not None and share.watch is None:
                share.transfer = following
                following.start_at = moment
                self._entries = share.entry = self._entries + 1
                heapreplace(active, (tier.served + following.wire_bytes * WORK, share.entry, share))
                continue
            heappop(active)
            tier.count -= 1
            share.entry = 0
            self._release(share, following, moment)

    def _finish(self, share: CellShare, transfer: Transfer, moment: int) -> Transfer | None:
        """Note the end of a message, and return the one that waits for it."""
        transfer.sent_at = moment
        self._ended.append((share.access.sent, transfer))
        if share.access.ended is not None:
            share.access.ended(transfer)
        following = transfer.following
        return None if following is None or following.queued_at >= moment else following

    def _release(self, share: CellShare, following: Transfer | None, moment: int) -> None:
        """Let a share go on with the message that waits, or rest."""
        share.transfer = None
        self._engaged -= 1
        if following is not None:
            self._take(share, following, moment)

    def _take(self, share: CellShare, transfer: Transfer, moment: int) -> None:
        """Let a message take part from `moment` on, or as soon as its link is up."""
        share.transfer = transfer
        transfer.start_at = moment
        self._engaged += 1
        share.whole = share.left = transfer.wire_bytes * WORK
        if share.watch is None:
            self._enter(share)
        else:
            self._turn(share, moment)

    def _turn(self, share: CellShare, moment: int) -> None:
        """Let a share's message go on where its link is up, and interrupt it where it is down."""
        transfer = share.transfer
        if transfer is None:
            return
        if transfer.fails:
            self._release(share, self._finish(share, transfer, moment), moment)
            return
        outage = None if share.watch is None else share.watch.next(moment)
        if outage is not None and outage.down << FRACTION <= self._time:
            self._interrupt(share, transfer, moment, outage.up)
            return
        if not share.entry:
            self._enter(share)
        if outage is not None:
            self._turn_at(share, outage.down)

    def _enter(self, share: CellShare) -> None:
        """Let a share's message be served from now on."""
        tier = share.tier
        if not tier.count:
            tier.served = 0  # a small number is a quick one
            tier.active.clear()
        tier.count += 1
        self._entries = share.entry = self._entries + 1
        share.ends_at = tier.served + share.left
        heappush(tier.active, (share.ends_at, share.entry, share))

    def _turn_at(self, share: CellShare, time: int) -> None:
        if share.turns_at != time:
            share.turns_at = time
            self._entries += 1
            heappush(self._turning, (time, self._entries, share))

    def _interrupt(self, share: CellShare, transfer: Transfer, moment: int, up: int | None) -> None:
        """Let an outage meet a message: it pauses, or has to be sent again, or has failed."""
        wasted = 0
        if share.entry:
            tier = share.tier
            share.left = share.ends_at - tier.served
            wasted = (share.whole - share.left + (tier.bits << SLACK) // tier.among) // WORK
            tier.count -= 1
            share.entry = 0
            if len(tier.active) > 2 * tier.count + 8:
                tier.active = [entry for entry in tier.active if entry[1] == entry[2].entry]
                heapify(tier.active)
        retry = share.access.retry
        if retry is None:
            transfer.pause(moment, up)
            if up is not None:
                self._turn_at(share, up)
            return
        assert share.watch is not None  # or there would be no outage
        share.left = share.whole
        time, attempts, goes_on = next_attempt(moment, transfer.attempts, retry, share.watch, self._until)
        transfer.fail_attempt(Failure(moment, wasted, attempts, goes_on))
        if time != moment:
            transfer.pause(moment, time)
        if time is not None:
            self._turn_at(share, time)

    def _share_out(self) -> None:
        """Give every tier its rate, and find what happens first."""
        first = NEVER
        left, among = self.capacity or 0, 0
        for tier in self._tiers:
            among += tier.count
        for tier in self._tiers:
            count = tier.count
            if not count:
                continue
            limit = tier.limit
            if limit is not None and limit * among <= left:
                bits, parts = limit, 1
                left -= limit * count
                among -= count
            else:
                bits, parts = left, among
            tier.bits, tier.among = bits, parts
            active = tier.active
            while active[0][1] != active[0][2].entry:
                heappop(active)
            if bits:
                end = self._time - (tier.served - active[0][0]) * parts // bits
                first = min(first, end)
        self._next = first
        if self._turning or self._coming is not None:
            turning = self._turning[0][0] << FRACTION if self._turning else NEVER
            coming = NEVER if self._coming is None else self._coming[0] << FRACTION
            self._disturbed_at = min(turning, coming)
            self._next = min(first, self._disturbed_at)
        else:
            self._disturbed_at = NEVER


def _told(time: int) -> int:
    """Return as what nanosecond a time in 2^-48 ns is told: rounded up, unless it is that little above one."""
    return -((GRACE - time) >> FRACTION)


class CellShare:
    """A link's part in a cell.

    Attributes:
        cell: what it is a part of.
        tier: the links with its limit.
        access: how the link takes part.
        watch: along the link's outages; None without any.
        transfer: its active or interrupted message.
        entry: the number of its place in the tier; 0 while it has none.
        whole, left: service that its message takes, and that an interrupted one still needs.
        ends_at: the tier's service at which its active message ends.
        turns_at: when it goes down or goes on, in nanoseconds.

    """

    __slots__ = (
        "access",
        "cell",
        "ends_at",
        "entry",
        "left",
        "tier",
        "transfer",
        "turns_at",
        "watch",
        "whole",
    )

    def __init__(self, cell: Cell, tier: Tier, access: Access) -> None:
        self.cell = cell
        self.tier = tier
        self.access = access
        self.watch = None if access.outages is None else Watch(access.outages)
        self.transfer: Transfer | None = None
        self.entry = self.whole = self.left = self.ends_at = 0
        self.turns_at: int | None = None

    def accept(self, transfer: Transfer) -> None:
        """Start a message now, unless another of the link is active: then it waits as the one that follows."""
        cell = self.cell
        cell._accepted.append((self, transfer))  # to be worked out later
        cell._watch(transfer.queued_at)

    def catch_up(self, now: int) -> None:
        """Work out which messages have started and ended by `now`."""
        self.cell.catch_up(now)
