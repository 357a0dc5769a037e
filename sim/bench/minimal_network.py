"""The least that the benchmark's traffic takes in plain SimPy: floats, callbacks, no packets and no accounts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

import simpy

Turns = list[tuple[float, float, float]]
"""When each device first sends, and its two waits in turn, in seconds."""
Act = Callable[[simpy.Event], None]


class MinimalLinks:
    """Private links: one is free when the work before has been done.

    Attributes:
        answered: round trips so far.

    """

    def __init__(self, turns: Turns, up_s: float, down_s: float, latency_s: float) -> None:
        self.environment = simpy.Environment()
        self.answered = 0
        self.up_s, self.down_s, self.latency_s = up_s, down_s, latency_s
        for first, *waits in turns:
            after(self.environment, first, MinimalPair(self, waits).send)

    def run(self, duration_s: int) -> None:
        """Let time pass."""
        self.environment.run(until=duration_s)


class MinimalPair:
    """A device's two links: when each is free."""

    __slots__ = ("down_free", "network", "up_free", "waits")

    def __init__(self, network: MinimalLinks, waits: list[float]) -> None:
        self.network = network
        self.waits = waits
        self.up_free = self.down_free = 0.0

    def send(self, _: simpy.Event) -> None:
        """Send a message, and again after the next wait."""
        network = self.network
        environment = network.environment
        now = environment.now
        self.up_free = max(now, self.up_free) + network.up_s
        after(environment, self.up_free + network.latency_s - now, self.answer)
        self.waits.reverse()
        after(environment, self.waits[1], self.send)

    def answer(self, _: simpy.Event) -> None:
        """Answer a message."""
        network = self.network
        environment = network.environment
        now = environment.now
        self.down_free = max(now, self.down_free) + network.down_s
        after(environment, self.down_free + network.latency_s - now, self.count)

    def count(self, _: simpy.Event) -> None:
        """Take in an answer."""
        self.network.answered += 1


class MinimalCell:
    """Two servers that share their capacity evenly among all active devices.

    Attributes:
        answered: round trips so far.

    """

    def __init__(
        self, turns: Turns, bits: tuple[int, int], capacities: tuple[float, float], latency_s: float
    ) -> None:
        self.environment = simpy.Environment()
        self.answered = 0
        self.bits = bits
        self.up, self.down = (MinimalShares(self.environment, capacity, latency_s) for capacity in capacities)
        for first, *waits in turns:
            after(self.environment, first, MinimalSharer(self, waits).send)

    def run(self, duration_s: int) -> None:
        """Let time pass."""
        self.environment.run(until=duration_s)


class MinimalSharer:
    """A device of a cell."""

    __slots__ = ("network", "waits")

    def __init__(self, network: MinimalCell, waits: list[float]) -> None:
        self.network = network
        self.waits = waits

    def send(self, _: simpy.Event) -> None:
        """Send a message, and again after the next wait."""
        network = self.network
        network.up.carry(self, network.bits[0], self.answer)
        self.waits.reverse()
        after(network.environment, self.waits[1], self.send)

    def answer(self, _: simpy.Event) -> None:
        """Answer a message."""
        self.network.down.carry(self, self.network.bits[1], self.count)

    def count(self, _: simpy.Event) -> None:
        """Take in an answer."""
        self.network.answered += 1


class MinimalShares:
    """Processor sharing by virtual time, one active message a device."""

    def __init__(self, environment: simpy.Environment, capacity: float, latency_s: float) -> None:
        self.environment = environment
        self.capacity = capacity
        self.latency_s = latency_s
        self.served = 0.0  # bits of each active message since the beginning
        self.time = 0.0
        self.active: list[tuple[float, int, MinimalSharer, Act]] = []
        self.waiting: dict[MinimalSharer, deque[tuple[int, Act]]] = {}
        self.starts = self.plans = 0

    def carry(self, device: MinimalSharer, bits: int, then: Act) -> None:
        """Carry a message after those of its device before it."""
        if device in self.waiting:
            self.waiting[device].append((bits, then))
            return
        self.waiting[device] = deque()
        self.catch_up()
        self.start(device, bits, then)
        self.plan()

    def start(self, device: MinimalSharer, bits: int, then: Act) -> None:
        """Let a message take part."""
        self.starts += 1
        heappush(self.active, (self.served + bits, self.starts, device, then))

    def catch_up(self) -> None:
        """Serve until now."""
        now = self.environment.now
        if self.active:
            self.served += (now - self.time) * self.capacity / len(self.active)
        self.time = now

    def plan(self) -> None:
        """Wait for the first end; an earlier plan is void."""
        self.plans += 1
        left = max(0.0, self.active[0][0] - self.served)
        timeout = self.environment.timeout(left * len(self.active) / self.capacity, self.plans)
        timeout.callbacks.append(self.end)

    def end(self, event: simpy.Event) -> None:
        """End the messages that have been served, and start what waits for them."""
        if event.value != self.plans:
            return
        self.catch_up()
        self.served = max(self.served, self.active[0][0])
        while self.active and self.active[0][0] <= self.served:
            _, _, device, then = heappop(self.active)
            after(self.environment, self.latency_s, then)
            if self.waiting[device]:
                self.start(device, *self.waiting[device].popleft())
            else:
                del self.waiting[device]
        if self.active:
            self.plan()


def after(environment: simpy.Environment, delay_s: float, act: Act) -> None:
    """Call `act` after a delay."""
    environment.timeout(delay_s).callbacks.append(act)
