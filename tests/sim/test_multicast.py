from __future__ import annotations

from types import SimpleNamespace

from models.strategies._interface import DeviceName
from sim.clock import SECOND, Clock
from sim.energy import Airtime
from sim.life import Presence
from sim.link import Direction, Link
from sim.multicast import Audience
from sim.outages import Outage, Outages


def test_who_is_away_or_down_at_the_arrival_neither_hears_nor_spends():
    """Messages of a second each arrive at 1.5, 2.5 and 3.5 s; `b` is away up to 2 s, the link of `c` down from 3 s.

    At 3.75 s, three quarters of a fourth message have been sent.
    """
    clock, told = Clock(), []
    direction = Direction(0.001, latency_ms=500.0, packet_bytes=125, header_bytes=0)

    def link():
        return Link(clock, direction, None, lambda _: None, lambda _: None)

    audience, heard, airtimes = Audience(clock), {}, {}
    devices = {}
    for name in "abc":
        heard[name], airtimes[name] = [], Airtime(link())
        devices[name] = SimpleNamespace(presence=Presence(), receive=heard[name].append)
        down = [Outage(3 * SECOND, None)] if name == "c" else []
        audience.add(devices[name], Outages(iter(down)), airtimes[name])
    audience.add(SimpleNamespace(presence=Presence(), receive=lambda _: None), None, None)

    channel = Link(clock, direction, None, audience.receive, lambda transfer: told.append(transfer.content))
    audience.listen_to(channel)
    for content in (1, 2, 3, 4):
        channel.send(125, content)
    devices["b"].presence.leave(0)
    clock.call_at(2 * SECOND, lambda: devices["b"].presence.come_back(clock.time))
    clock.run(until=15 * SECOND // 4)
    assert heard == {"a": [1, 2, 3], "b": [2, 3], "c": [1, 2]}
    (fourth,) = channel.unfinished
    channel.observe(fourth)
    assert told == [1, 2, 3, 4]
    spent = {name: airtime.total for name, airtime in airtimes.items()}
    assert spent == {"a": 15 * SECOND // 4, "b": 11 * SECOND // 4, "c": 2 * SECOND}


def test_each_device_that_hears_a_message_acknowledges_its_packets():
    """Three packets; `b` is away, and what `c` acknowledges with is not counted."""
    clock = Clock()
    direction = Direction(0.001, packet_bytes=100, header_bytes=0)

    def link():
        return Link(clock, direction, None, lambda _: None, lambda _: None)

    audience, devices = Audience(clock), {}
    for name, size in (("a", 40), ("b", 40), ("c", 0), ("d", 7)):
        devices[name] = SimpleNamespace(
            name=DeviceName(name, "group"), presence=Presence(), uplink=link(), receive=lambda _: None
        )
        audience.add(devices[name], None, None, size)
    devices["b"].presence.leave(0)
    channel = Link(clock, direction, None, audience.receive, lambda _: None)
    audience.listen_to(channel)
    channel.send(250, "content")
    clock.run(until=2 * SECOND + 1)
    sent = {
        name: [
            (each.content.kind, each.content.device, each.wire_bytes, each.queued_at)
            for each in device.uplink.unfinished
        ]
        for name, device in devices.items()
    }
    assert sent == {
        "a": [("acknowledgement", "a", 120, 2 * SECOND)],
        "b": [],
        "c": [],
        "d": [("acknowledgement", "d", 21, 2 * SECOND)],
    }
