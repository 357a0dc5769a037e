"""Who hears what a channel sends to several devices of a cell at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sim.outages import Watch

if TYPE_CHECKING:
    from sim.clock import Clock
    from sim.device import Device
    from sim.energy import Airtime
    from sim.link import Link
    from sim.messages import Message
    from sim.outages import Outages
    from sim.transfer import Transfer


@dataclass
class Audience:
    """The devices to which one channel sends; what it sends reaches those that are there with their own links up.

    Whether they are is looked at when a message arrives. Who misses it spends nothing on it either.
    """

    clock: Clock
    _listeners: list[tuple[Device, Watch | None, Airtime | None]] = field(default_factory=list)

    def add(self, device: Device, outages: Outages | None, airtime: Airtime | None) -> None:
        """Let a device listen; `outages` are those of its link alone, and `airtime` adds up what it receives."""
        self._listeners.append((device, None if outages is None else Watch(outages), airtime))

    def receive(self, message: Message) -> None:
        """Hand a message to all who hear it."""
        for device, _ in self._hearing():
            device.receive(message)

    def listen_to(self, channel: Link) -> None:
        """Add up what is heard of it from now on, beside whoever observes it."""
        observe_next = channel.observe

        def observe(transfer: Transfer) -> None:
            for _, airtime in self._hearing():
                if airtime is not None:
                    airtime.add(transfer)
            observe_next(transfer)

        channel.observe = observe

    def _hearing(self) -> Iterator[tuple[Device, Airtime | None]]:
        now = self.clock.time
        for device, watch, airtime in self._listeners:
            if not device.presence.away and (watch is None or not watch.is_down(now)):
                yield device, airtime
