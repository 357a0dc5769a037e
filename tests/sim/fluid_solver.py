"""A brute-force reference for links that share cells: exact fluid service, worked out from scratch at every event.

Each link carries its messages first in, first out, one at a time. At any time the active links of a cell get max-min
fair rates, found by progressive filling (Bertsekas and Gallager, Data Networks, section 6.5.2): all rise alike, and
who has reached a limit stays there. Capacities and limits are constant piece by piece; during its outages a link
carries nothing, and its share goes to the others. Times are nanoseconds and rates bits per second, all as fractions.
Nothing here is fast, and nothing is shared with the code that it judges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

SECOND = 10**9

Pieces = tuple[tuple[int, int | None], ...]
"""(start in nanoseconds, bits per second or None for no limit) from time 0 on, in order; the last piece lasts."""

UNLIMITED: Pieces = ((0, None),)


def constant(bits_per_second: int | None) -> Pieces:
    """Return a rate that never changes."""
    return ((0, bits_per_second),)


def value_at(pieces: Pieces, time: Fraction) -> int | None:
    """Return the piece that holds at a time."""
    return next(value for start, value in reversed(pieces) if start <= time)


@dataclass(frozen=True)
class FluidLink:
    """One direction of one device's link.

    Attributes:
        cell: whose capacity it takes part in.
        limit: what it can carry by itself.
        outages: (down, up) in nanoseconds, disjoint; up is None for one without an end.

    """

    cell: str
    limit: Pieces = UNLIMITED
    outages: tuple[tuple[int, int | None], ...] = ()

    def is_down(self, time: Fraction) -> bool:
        """Tell whether an outage holds: from its first moment to just before its last."""
        return any(down <= time and (up is None or time < up) for down, up in self.outages)


@dataclass
class Flight:
    """A message and its way: its turn comes at `start`, its last bit leaves at `end`; None where that never happens.

    A message without bits ends as its turn comes.
    """

    queued: int
    link: int
    bits: int
    left: Fraction = field(init=False)
    start: Fraction | None = None
    end: Fraction | None = None

    def __post_init__(self) -> None:
        self.left = Fraction(self.bits)


@dataclass(frozen=True)
class Epoch:
    """A stretch between two events, with the rate of every link that could send in it."""

    begin: Fraction
    end: Fraction
    rates: Mapping[int, Fraction]


def progressive_filling(capacity: int | None, limits: Mapping[int, int | None]) -> dict[int, Fraction | None]:
    """Return the max-min fair rate of each link with a limit; None where neither limit nor capacity binds it."""
    if capacity is None:
        return {link: None if limit is None else Fraction(limit) for link, limit in limits.items()}
    rates = dict.fromkeys(limits, Fraction(0))
    rising = set(limits)
    while rising:
        spare = capacity - sum(rates.values())
        rooms = [limits[link] - rates[link] for link in rising if limits[link] is not None]
        rise = min([spare / len(rising), *rooms])
        for link in rising:
            rates[link] += rise
        if rise == spare / len(rising):
            break
        rising = {link for link in rising if rates[link] != limits[link]}
    return rates


def solve(
    capacities: Mapping[str, Pieces], links: Sequence[FluidLink], messages: Sequence[tuple[int, int, int]]
) -> tuple[list[list[Flight]], list[Epoch]]:
    """Return every link's messages with their starts and ends, and the rates from event to event.

    Args:
        capacities: of each cell.
        links: may be parts of different cells, which know nothing of one another.
        messages: (time in nanoseconds, link's number, bits) each; those of one time in the order given.

    """
    coming = deque(Flight(*message) for message in sorted(messages, key=lambda message: message[0]))
    flights: list[list[Flight]] = [[] for _ in links]
    queues: list[deque[Flight]] = [deque() for _ in links]
    changes = {start for pieces in capacities.values() for start, _ in pieces}
    changes |= {start for link in links for start, _ in link.limit}
    changes |= {
        moment for link in links for outage in link.outages for moment in outage if moment is not None
    }
    epochs: list[Epoch] = []
    now = Fraction(0)
    while True:
        while coming and coming[0].queued == now:
            flight = coming.popleft()
            flights[flight.link].append(flight)
            queues[flight.link].append(flight)
        rates = _rates(capacities, links, queues, now)
        if _take_turns(queues, rates, now):
            continue  # others are active now
        moments = {Fraction(change) for change in changes if change > now}
        moments |= {now + queues[link][0].left * SECOND / rate for link, rate in rates.items() if rate}
        moments |= {Fraction(flight.queued) for flight in list(coming)[:1]}
        if not moments or not (coming or any(queues)):
            return flights, epochs
        until = min(moments)
        epochs.append(Epoch(now, until, {link: rate for link, rate in rates.items() if rate is not None}))
        for link, rate in rates.items():
            if rate is not None:
                queues[link][0].left -= rate * (until - now) / SECOND
        now = until


def _rates(
    capacities: Mapping[str, Pieces],
    links: Sequence[FluidLink],
    queues: Sequence[deque[Flight]],
    now: Fraction,
) -> dict[int, Fraction | None]:
    """Return the rate of each link that has something to send and is not down."""
    rates: dict[int, Fraction | None] = {}
    for cell, capacity in capacities.items():
        limits = {
            number: value_at(link.limit, now)
            for number, link in enumerate(links)
            if link.cell == cell and queues[number] and not link.is_down(now)
        }
        rates |= progressive_filling(value_at(capacity, now), limits)
    return rates


def _take_turns(queues: Sequence[deque[Flight]], rates: Mapping[int, Fraction | None], now: Fraction) -> bool:
    """Start whose turn has come and end who has no bits left; tell whether any has ended.

    What nothing limits needs no time.
    """
    ended = False
    for link, queue in enumerate(queues):
        if not queue:
            continue
        flight = queue[0]
        if flight.start is None:
            flight.start = now
        if flight.left == 0 or (link in rates and rates[link] is None):
            flight.end = now
            queue.popleft()
            ended = True
    return ended
