"""Who hears what a channel sends to several devices of a cell at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sim.messages import Message
from sim.outages import Watch

if TYPE_CHECKING:
    from sim.clock import Clock
    from sim.device import Device
    from sim.energy import Airtime
    from sim.link import Link
    from sim.outages import Outages
    from sim.transfer import Transfer


class Listener(NamedTuple):
    """A device that listens, and what it takes to tell what that costs."""

    device: Device
    watch: Watch | None
    airtime: Airtime | None
    acknowledgement_bytes: int


@dataclass
class Audience:
    """The devices to which one channel sends; what it sends reaches those that are there with their own links up.

    Whether they are is looked at when a message arrives. Who misses it spends nothing on it either, and acknowledges
    nothing.
    """

    clock: Clock
    _listeners: list[Listener] = field(default_factory=list)

    def add(
        self,
        device: Device,
        outages: Outages | None,
        airtime: Airtime | None,
        acknowledgement_bytes: int = 0,
    ) -> None:
        """Let a device listen.

        `outages` are those of its link alone, `airtime` adds up what it receives, and it answers each packet with an
        acknowledgement over its uplink, all of a message together, unless that has no bytes.
        """
        watch = None if outages is None else Watch(outages)
        self._listeners.append(Listener(device, watch, airtime, acknowledgement_bytes))

    def receive(self, message: Message) -> None:
        """Hand a message to all who hear it."""
        for listener in self._hearing():
            listener.device.receive(message)

    def listen_to(self, channel: Link) -> None:
        """Add up and acknowledge what is heard of it from now on, beside whoever observes it."""
        observe_next = channel.observe

        def observe(transfer: Transfer) -> None:
            for listener in self._hearing():
                if listener.airtime is not None:
                    listener.airtime.add(transfer)
            observe_next(transfer)

        channel.observe = observe
        channel.arrived = self._acknowledge

    def _acknowledge(self, transfer: Transfer) -> None:
        packets = transfer.link.direction.packets(transfer.payload_bytes)
        for listener in self._hearing():
            if listener.acknowledgement_bytes:
                device = listener.device
                size = listener.acknowledgement_bytes * packets
                device.uplink.acknowledge(size, Message("acknowledgement", device.name.name, b""))

    def _hearing(self) -> Iterator[Listener]:
        now = self.clock.time
        for listener in self._listeners:
            watch = listener.watch
            if not listener.device.presence.away and (watch is None or not watch.is_down(now)):
                yield listener
