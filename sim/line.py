"""A line: a link's own capacity where it varies over time, or where outages interrupt it.

What becomes of a message depends on the messages before it and on a capacity and outages that nothing in the run can
change, so all is worked out when it is handed over. That is exact (`sim.timeline`): only the end of a message is
rounded up to a whole nanosecond, which never adds up over a busy period. Nothing is worked out beyond the end of the
run, where a message that is too long for the gaps between outages would be tried again for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.clock import SECOND
from sim.outages import Watch, next_attempt
from sim.timeline import Timeline, interrupted
from sim.transfer import Failure

if TYPE_CHECKING:
    from scenarios.network import Retry
    from sim.link import Access
    from sim.timeline import Piece
    from sim.transfer import Transfer

BYTE = 8 * SECOND
"""Work of a byte, in billionths of a bit."""


class Line:
    """One direction of one link's own capacity, as `sim.link.Sharing` that nobody shares.

    An outage either pauses a message, or makes the attempt to send it fail: then all that was sent is lost, and the
    whole message is sent again after a pause.
    """

    def __init__(self, pieces: Iterator[Piece], until: int, instant: bool = False) -> None:
        """Take the capacity as a rate process (`sim.timeline`), and when the run ends, in nanoseconds.

        Where the rate is so high that it stands for no limit, what it sends takes no time (`instant`).
        """
        self._pieces = pieces
        self._instant = instant
        self._until = until

    def join(self, access: Access) -> Line:
        """Become the line of a link."""
        self._access = access
        self._watch = None if access.outages is None else Watch(access.outages)
        pieces = self._pieces
        if access.outages is not None and access.retry is None:
            pieces = interrupted(pieces, iter(access.outages))
        self._timeline = Timeline(_ending(pieces, self._until))
        self._free_at: int | None = 0
        self._work = 0  # that the timeline must have done before the next message's turn
        return self

    def catch_up(self, now: int) -> None:
        """Do nothing: all is known."""

    def accept(self, transfer: Transfer) -> None:
        """Work out a message's turn and its end, or that it has none."""
        if self._free_at is None:
            return  # what is before it never ends
        if self._free_at <= transfer.queued_at:
            self._free_at = transfer.queued_at
            self._work = self._timeline.work_until(transfer.queued_at)
        transfer.start_at = self._free_at
        if self._watch is None or self._access.retry is None:
            self._work += transfer.wire_bytes * BYTE
            end = self._time_of(self._work, self._free_at)
            if self._watch is not None:
                _note_pauses(transfer, self._free_at, self._until if end is None else end, self._watch)
        else:
            end = self._attempt(transfer, self._free_at, self._watch, self._access.retry)
        self._free_at = transfer.sent_at = end
        if end is not None:
            self._access.sent(transfer)

    def _time_of(self, work: int, begin: int) -> int | None:
        """Return when what began at `begin` is through, with work counted from the start of the run."""
        end = self._timeline.time_of(work)
        return end if end is None or not self._instant else max(begin, end - 1)  # it was rounded up

    def _attempt(self, transfer: Transfer, begin: int, watch: Watch, retry: Retry) -> int | None:
        """Send until an attempt comes through or is the last, and return when that is."""
        timeline, whole = self._timeline, transfer.wire_bytes * BYTE
        time: int | None = begin
        made = 1  # attempts
        while time is not None and time < self._until:
            outage = watch.next(time)
            end = self._time_of(self._work + whole, time)
            if outage is None or (end is not None and end <= outage.down):
                self._work += whole
                return end
            failed_at = max(time, outage.down)
            if failed_at >= self._until:
                return None
            wasted = (timeline.work_until(failed_at) - self._work) // BYTE
            time, made, goes_on = next_attempt(failed_at, made, retry, watch, self._until)
            transfer.foresee(Failure(failed_at, wasted, made, goes_on))
            if time != failed_at:
                transfer.pause(failed_at, time)
            if time is not None:
                self._work = timeline.work_until(time)
            if not goes_on:
                return time
        return None


def _ending(pieces: Iterator[Piece], until: int) -> Iterator[Piece]:
    """Yield a rate process that carries nothing from `until` on."""
    for start, rate in pieces:
        if start >= until:
            break
        yield start, rate
    yield until, 0


def _note_pauses(transfer: Transfer, begin: int, end: int, watch: Watch) -> None:
    """Let a message pause during the outages between its turn and its end."""
    while (outage := watch.next(begin)) is not None and outage.down < end:
        transfer.pause(max(begin, outage.down), outage.up)
        if outage.up is None or outage.up >= end:
            return
        begin = outage.up
