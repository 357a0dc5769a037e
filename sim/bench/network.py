"""What the network costs: round trips over links and cells without models, and the same traffic in minimal SimPy."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sim.bench.measuring import Report, alternate, cpu_time, ratios
from sim.bench.minimal_network import MinimalCell, MinimalLinks
from sim.bench.result import Figure, Result
from sim.cell import Cell
from sim.clock import SECOND, Clock, Moment
from sim.link import Direction, Link, bits_per_second
from sim.messages import Message
from sim.recorder import Recorder, TransferRecorder

if TYPE_CHECKING:
    import numpy as np
    import simpy

    from sim.transfer import Transfer

NAME = "network"
SUMMARY = (
    "Round trips of a fleet per processor second without models, over private links and over a shared cell: 10 kB up, "
    "answered by 1 kB down, each second from each device; beside minimal SimPy models of the same traffic."
)
LIMITS = (
    "a round trip is three events of SimPy's loop (the device's and two arrivals); a cell wakes up besides, ours about "
    "once in a latency and the minimal one at each end. Ours also cuts packets, keeps transfers and accounts, and "
    "counts in exact integers. Building is not timed."
)

FLEETS = (100, 1000)
ROUND_TRIPS = 20_000
"""Of each side in each round."""
UP_BYTES, DOWN_BYTES = 10_000, 1_000
LATENCY_S = 0.02
REQUEST, ANSWER = (Message(kind, "cameras-0", b"") for kind in ("samples", "answer"))
"""What the messages hold: nothing that anybody reads but the table of transfers."""
TARGETS = {"private links": 100_000.0, "shared cell": 60_000.0}
RATIO_TARGET = 0.6

PRIVATE_MBPS = (0.2, 0.02)
"""Up and down, of links that are loaded to 41 %: a message within 0.41 s of the one before it waits."""
LIMIT_MBPS = (1.0, 1.0)
"""What each device's own link carries in a cell."""
CELL_MBPS_A_DEVICE = (0.1, 0.012)
"""Capacity of a cell for each device: it is loaded to 82 % up and 69 % down, and several messages are active."""


def turns(devices: int) -> list[tuple[float, float, float]]:
    """Return when each device sends first, and its two waits in turn, in seconds: together two, at random phases."""
    generator = random.Random(0)
    phases = [(generator.random(), 1 + generator.random()) for _ in range(devices)]
    return [(first, second - first, 2 - (second - first)) for first, second in phases]


class Fleet:
    """Devices that send over links of this laboratory, private ones or parts of a cell.

    Attributes:
        answered: round trips so far.

    """

    def __init__(self, devices: int, in_a_cell: bool, recorder: Recorder | None = None) -> None:
        self.clock = Clock()
        self.recorder = recorder
        self.answered = 0
        capacities = [bits_per_second(mbps * devices) for mbps in CELL_MBPS_A_DEVICE]
        cells = [Cell(self.clock, capacity) if in_a_cell else None for capacity in capacities]
        rates = LIMIT_MBPS if in_a_cell else PRIVATE_MBPS
        ways = [Direction(rate, latency_ms=1000 * LATENCY_S) for rate in rates]
        for number, (first, *waits) in enumerate(turns(devices)):
            sender = Sender(self, f"cameras-{number}", ways, cells, [round(wait * SECOND) for wait in waits])
            self.clock.schedule_at(Moment(sender.send), round(first * SECOND))

    def run(self, duration_s: int) -> None:
        """Let time pass."""
        self.clock.run(until=duration_s * SECOND)


class Sender:
    """One device and its counterpart: a message goes up, its answer comes down."""

    __slots__ = ("down", "fleet", "name", "send", "up", "waits")

    def __init__(
        self, fleet: Fleet, name: str, ways: list[Direction], cells: Sequence[Cell | None], waits: list[int]
    ) -> None:
        self.fleet = fleet
        self.name = name
        self.waits = waits
        self.send = (self._send,)
        self.up = Link(fleet.clock, ways[0], _draw, self._answer, self._observer("up"), cells[0])
        self.down = Link(fleet.clock, ways[1], _draw, self._count, self._observer("down"), cells[1])

    def _observer(self, way: str) -> Callable[[Transfer], None]:
        recorder = self.fleet.recorder
        if recorder is None:
            return _ignore
        return TransferRecorder(recorder.transfers, self.fleet.clock, self.name, "cameras", way).record

    def _send(self, _: simpy.Event) -> None:
        self.up.send(UP_BYTES, REQUEST)
        self.waits.reverse()
        clock = self.fleet.clock
        clock.schedule_at(Moment(self.send), clock.time + self.waits[1])

    def _answer(self, _: object) -> None:
        self.down.send(DOWN_BYTES, ANSWER)

    def _count(self, _: object) -> None:
        self.fleet.answered += 1


def _ignore(_: Transfer) -> None:
    pass


def _draw() -> np.random.Generator:
    raise AssertionError("links without loss and jitter draw nothing")


def wire_bits(payload_bytes: int) -> int:
    """Return what a message takes on the wire, with its headers."""
    way = Direction(1.0)
    return 8 * (payload_bytes + -(-payload_bytes // way.packet_bytes) * way.header_bytes)


def rate(fleet: Fleet | MinimalLinks | MinimalCell, devices: int) -> float:
    """Run a fleet and return its round trips per processor second."""
    spent = cpu_time(lambda: fleet.run(ROUND_TRIPS // devices))
    return fleet.answered / spent


def recorded_rate(devices: int, in_a_cell: bool) -> float:
    """Return the round trips per processor second where every transfer is written to a table."""
    with TemporaryDirectory() as folder, Recorder(Path(folder)) as recorder:
        return rate(Fleet(devices, in_a_cell, recorder), devices)


def sides(devices: int) -> dict[str, dict[str, Callable[[], float]]]:
    """Return what is measured of a fleet: round trips per processor second of three sides for either network."""
    plan = turns(devices)
    bits = wire_bits(UP_BYTES), wire_bits(DOWN_BYTES)
    times = [amount / (mbps * 1e6) for amount, mbps in zip(bits, PRIVATE_MBPS, strict=True)]
    capacities = [mbps * 1e6 * devices for mbps in CELL_MBPS_A_DEVICE]
    minimal = {
        "private links": lambda: MinimalLinks(plan, times[0], times[1], LATENCY_S),
        "shared cell": lambda: MinimalCell(plan, bits, (capacities[0], capacities[1]), LATENCY_S),
    }
    return {
        network: {
            "ours": lambda cell=cell: rate(Fleet(devices, cell), devices),  # type: ignore[misc]
            "recorded": lambda cell=cell: recorded_rate(devices, cell),  # type: ignore[misc]
            "minimal": lambda build=build: rate(build(), devices),  # type: ignore[misc]
        }
        for (network, build), cell in zip(minimal.items(), (False, True), strict=True)
    }


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Measure all fleets and networks; no model is computed, whatever the device."""
    del device
    figures: list[Figure] = []
    for devices in FLEETS:
        for network, ways in sides(devices).items():
            name = f"{network}, {devices} devices"
            found = alternate(
                ways,
                rounds,
                warm_up=True,
                report=lambda text, name=name: report(f"{name}: {text}"),  # type: ignore[misc]
            )
            unit = "round trips/s"
            figures += [
                Figure.of(name, found["ours"], unit, TARGETS[network]),
                Figure.of(
                    f"{name}, over minimal SimPy",
                    ratios(found["ours"], found["minimal"]),
                    target=RATIO_TARGET,
                    note=f"which makes {sorted(found['minimal'])[rounds // 2]:,.0f} round trips/s",
                ),
                Figure.of(f"{name}, recorded", found["recorded"], unit, note="with the table of transfers"),
            ]
    return Result(NAME, tuple(figures), LIMITS)
