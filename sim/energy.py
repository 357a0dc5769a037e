"""The energy that a device spends: power times time, for its processor and for its radio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.clock import seconds
from sim.results import ENERGY

if TYPE_CHECKING:
    from scenarios.fleet import Compute
    from scenarios.network import Link as LinkSettings
    from sim.link import Link
    from sim.transfer import Transfer


def energies(
    compute: Compute, link: LinkSettings, present: int, busy: int, sending: int, receiving: int
) -> dict[str, float | None]:
    """Return the joules of each part, by column of the devices' table; None where the power is not known.

    Present and busy are nanoseconds of the processor, sending and receiving those in which bits were on their way out
    at either end of the link. A device that is away takes no power.
    """
    spent = (
        (busy, compute.busy_w),
        (present - busy, compute.idle_w),
        (sending, link.transmit_w),
        (receiving, link.receive_w),
    )
    return {
        f"energy_{part}_j": None if power_w is None else seconds(time) * power_w
        for part, (time, power_w) in zip(ENERGY, spent, strict=True)
    }


class Airtime:
    """Adds up how long a link's messages were on their way out, once each has arrived or the run has ended.

    Nothing is on its way out during an outage, or between an attempt that failed and the next one.
    """

    __slots__ = ("link", "observe_next", "total")

    def __init__(self, link: Link) -> None:
        """Look at all that the link shows its observer from now on, and pass it on."""
        self.link = link
        self.observe_next = link.observe
        self.total = 0
        link.observe = self.observe

    def observe(self, transfer: Transfer) -> None:
        """Add a message's time, and pass it on."""
        self.add(transfer)
        self.observe_next(transfer)

    def add(self, transfer: Transfer) -> None:
        """Add a message's time; of what is under way, up to now."""
        self.total += transfer.sending(self.link.clock.time)
