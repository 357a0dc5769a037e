"""The network that a scenario describes: links, the cells and regions they belong to, and when all these are down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sim.cell import Cell
from sim.clock import nanoseconds
from sim.latencies._longest import Longest
from sim.line import Line
from sim.link import Direction, Link, bits_per_second
from sim.mathis import rate_limit
from sim.messages import Message
from sim.outages import Outages, Watch, planned, random, union
from sim.outbox import Outbox
from sim.recorder import TransferRecorder
from sim.timeline import capped

if TYPE_CHECKING:
    from scenarios.network import Bandwidth, LatencyDistribution
    from scenarios.network import Link as LinkSettings
    from scenarios.network import Outages as OutageSettings
    from scenarios.schema import Scenario
    from sim.clock import Clock
    from sim.link import Sharing
    from sim.recorder import Table
    from sim.streams import RandomStreams
    from sim.transfer import Transfer

WAYS = ("up", "down")
INSTANT = 10**30
"""Bits per second of a link without limit that can be down."""


class Network:
    """What carries the messages of one run.

    Everything random has a stream of its own, and outages do not depend on anything else in the run.

    Attributes:
        clock: the one of the run.

    """

    def __init__(self, scenario: Scenario, clock: Clock, streams: RandomStreams, transfers: Table) -> None:
        self.clock = clock
        self._end = nanoseconds(scenario.duration_s)
        self._streams = streams
        self._transfers = transfers
        self._cells: dict[tuple[str | None, str], Cell] = {}
        self._outages: dict[tuple[str, str | None], Outages | None] = {}
        for name, cell in scenario.cells.items():
            self._outages["cell", name] = self._down(f"cells/{name}", cell.outages)
            for way in WAYS:
                self._cells[name, way] = self._cell(name, way, getattr(cell, f"{way}link_mbps"))
        for name, region in scenario.regions.items():
            self._outages["region", name] = self._down(f"regions/{name}", region.outages)
        self._directions = {
            (name, way): direction_of(group.link, way)
            for name, group in scenario.groups.items()
            for way in WAYS
        }

    def links(
        self,
        device: str,
        group: str,
        settings: LinkSettings,
        to_cloud: Callable[[Message], None],
        to_device: Callable[[Message], None],
        absences: Outages | None = None,
        forgets: bool = False,
    ) -> tuple[Link, Link]:
        """Return a device's uplink and its downlink.

        `absences` are when the device itself is away; whether it `forgets` says whether what waits for the uplink can
        be dropped.
        """
        reasons = (
            self.own_outages(device, settings),
            self._outages.get(("cell", settings.cell)),
            self._outages.get(("region", settings.region)),
            absences,
        )
        outages = union(*(reason for reason in reasons if reason is not None))
        outboxes = (
            Outbox(settings.outbox) if settings.outbox.bounded or forgets else None,
            Outbox(superseded=settings.superseded) if settings.superseded != "keep" else None,
        )
        up = self._link(device, group, settings, "up", to_cloud, outages, outboxes[0])
        down = self._link(device, group, settings, "down", to_device, outages, outboxes[1])
        if size := settings.acknowledgement_bytes:
            for link in (up, down):
                link.receive = partial(_unless_acknowledgement, link.receive)
            content = Message("acknowledgement", device, b"")
            away = None if absences is None else Watch(absences)
            up.arrived = partial(_acknowledge, up, down, size, content, None)
            down.arrived = partial(_acknowledge, down, up, size, content, away)
        return up, down

    def own_outages(self, device: str, settings: LinkSettings) -> Outages | None:
        """Return when a device's link is down by itself, whatever its cell and its region are."""
        return self._down(f"{device}/link", settings.outages)

    def channel(
        self, cell: str, student: str, links: Sequence[LinkSettings], receive: Callable[[Message], None]
    ) -> Link:
        """Return what carries versions of a student once to all links of a cell whose devices follow it.

        It has the lowest limit, the highest loss and the largest headers among them, the longest latency and the
        largest jitter. It is down with the cell and with each of their regions; what they do about outages and about
        versions that wait, all alike, it does too.
        """
        first = links[0]
        ways = [direction_of(link, "down") for link in links]
        way = replace(
            ways[0],
            bandwidth_mbps=min(each.bandwidth_mbps for each in ways),
            latency_ms=max(each.latency_ms for each in ways),
            latency=_longest_latency(ways),
            jitter_ms=max(each.jitter_ms for each in ways),
            loss=max(each.loss for each in ways),
            packet_bytes=min(each.packet_bytes for each in ways),
            header_bytes=max(each.header_bytes for each in ways),
            message_overhead_bytes=max(each.message_overhead_bytes for each in ways),
        )
        name = channel_name(cell, student)
        reasons = [self._outages["cell", cell]]
        reasons += [
            self._outages["region", region]
            for region in sorted({each.region for each in links if each.region})
        ]
        outages = union(*(reason for reason in reasons if reason is not None))
        shared = self._cells[cell, "down"]
        return Link(
            self.clock,
            way,
            lambda: self._streams.generator(f"cells/{name}/downlink"),
            receive,
            TransferRecorder(self._transfers, self.clock, name, None, "down").record,
            self._own_line(way, way.bandwidth_mbps, name, outages) if shared.capacity is None else shared,
            None if first.superseded == "keep" else Outbox(superseded=first.superseded),
            outages,
            first.retry if first.on_outage == "retry" else None,
        )

    def _link(
        self,
        device: str,
        group: str,
        settings: LinkSettings,
        way: str,
        receive: Callable[[Message], None],
        outages: Outages | None,
        outbox: Outbox | None,
    ) -> Link:
        direction = self._directions[group, way]
        sharing: Sharing | None = self._cells.get((settings.cell, way))
        if sharing is None or self._cells[settings.cell, way].capacity is None:
            sharing = self._own_line(
                direction, getattr(settings, f"{way}link_mbps"), f"{device}/{way}link", outages
            )
        return Link(
            self.clock,
            direction,
            lambda: self._streams.generator(f"{device}/{way}link"),
            receive,
            TransferRecorder(self._transfers, self.clock, device, group, way).record,
            sharing,
            outbox,
            outages,
            settings.retry if settings.on_outage == "retry" else None,
        )

    def _own_line(
        self, direction: Direction, bandwidth: Bandwidth, stream: str, outages: Outages | None
    ) -> Line | None:
        """Return what carries a link's messages alone; None where its capacity is constant and it is never down."""
        model = None if isinstance(bandwidth, int | float) else bandwidth
        if model is None and outages is None:
            return None
        limit = bits_per_second(direction.bandwidth_mbps)
        constant = limit or INSTANT
        if model is None:
            return Line(iter([(0, constant)]), self._end, instant=limit is None)
        pieces = model.pieces(lambda: self._streams.generator(f"{stream}/bandwidth"))
        return Line(capped(pieces, constant), self._end)

    def _cell(self, name: str, way: str, bandwidth: Bandwidth) -> Cell:
        if isinstance(bandwidth, int | float):
            return Cell(self.clock, bits_per_second(bandwidth), until=self._end)
        pieces = bandwidth.pieces(lambda: self._streams.generator(f"cells/{name}/{way}link/bandwidth"))
        _, first = next(pieces)
        return Cell(self.clock, first, pieces, self._end)

    def _down(self, name: str, settings: OutageSettings | None) -> Outages | None:
        """Return when something is down: always the same for one name."""
        if settings is None:
            return None
        several = [Outages(planned(settings))] if settings.scheduled_s else []
        if settings.mean_up_s is not None and settings.mean_down_s is not None:
            generator = self._streams.generator(f"{name}/outages")
            several.append(Outages(random(settings.mean_up_s, settings.mean_down_s, generator)))
        return union(*several)


def direction_of(link: LinkSettings, way: str) -> Direction:
    """Return the properties of one direction, `up` or `down`, of a link.

    Where the bandwidth varies, `bandwidth_mbps` is what it cannot exceed.
    """

    def of(name: str) -> Any:
        own = getattr(link, f"{way}link_{name}")
        return getattr(link, name) if own is None else own

    bandwidth, latency, loss = getattr(link, f"{way}link_mbps"), of("latency_ms"), of("loss")
    limit_mbps = float(bandwidth) if isinstance(bandwidth, int | float) else math.inf
    if link.mathis_rtt_ms is not None:
        cap = rate_limit(link.packet_bytes, link.header_bytes, link.mathis_rtt_ms / 1000, loss)
        limit_mbps = min(limit_mbps, math.inf if cap is None else cap / 1e6)
    constant = isinstance(latency, int | float)
    return Direction(
        bandwidth_mbps=limit_mbps,
        latency_ms=float(latency if constant else latency.least_ms),
        jitter_ms=float(of("jitter_ms")),
        loss=float(loss),
        packet_bytes=link.packet_bytes,
        header_bytes=link.header_bytes,
        message_overhead_bytes=link.message_overhead_bytes,
        latency=None if constant else latency,
    )


def _longest_latency(ways: Sequence[Direction]) -> LatencyDistribution | None:
    """Return the distribution of the longest latency of several directions; None where it is constant."""
    varying = tuple(dict.fromkeys(each.latency for each in ways if each.latency is not None))
    constant_ms = max((each.latency_ms for each in ways if each.latency is None), default=0.0)
    if len(varying) == 1 and constant_ms <= varying[0].least_ms:
        return varying[0]
    return Longest(varying, constant_ms) if varying else None


def channel_name(cell: str, student: str) -> str:
    """Return what the tables call the channel over which a cell's devices get a student's versions together."""
    return f"{cell}/{student}"


def _acknowledge(
    there: Link, back: Link, size: int, content: Message, away: Watch | None, transfer: Transfer
) -> None:
    """Let the receiver of a message acknowledge its packets, unless it is `away` as they arrive."""
    is_there = away is None or not away.is_down(there.clock.time)
    if transfer.content.kind != content.kind and is_there:
        back.acknowledge(size * there.direction.packets(transfer.payload_bytes), content)


def _unless_acknowledgement(receive: Callable[[Message], None], message: Message) -> None:
    if message.kind != "acknowledgement":
        receive(message)
