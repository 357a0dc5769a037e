"""What a scenario file may say of the network: each device's link, and what links share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenarios.settings import Name, NonNegative, Positive, Settings


class Link(Settings):
    """A device's own link; the directions do not disturb each other.

    Messages are cut into packets; each lost packet is sent again until it arrives, and every copy takes time.
    """

    uplink_mbps: Positive
    """Device to cloud, 10^6 bits per second; `.inf` for no limit."""
    downlink_mbps: Positive
    """Cloud to device, 10^6 bits per second; `.inf` for no limit."""
    latency_ms: NonNegative = 0.0
    """Propagation delay in each direction."""
    jitter_ms: NonNegative = 0.0
    """Mean of an exponential extra delay, drawn for each message; it never reorders messages."""
    loss: Annotated[float, Field(ge=0, le=0.99)] = 0.0
    """Probability that a packet is lost."""
    uplink_latency_ms: NonNegative | None = None
    """Replaces latency_ms upwards; likewise the next five."""
    downlink_latency_ms: NonNegative | None = None
    uplink_jitter_ms: NonNegative | None = None
    downlink_jitter_ms: NonNegative | None = None
    uplink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    downlink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    packet_bytes: Annotated[int, Field(ge=1)] = 1460
    """Largest payload of one packet."""
    header_bytes: Annotated[int, Field(ge=0)] = 40
    """Header of each packet (TCP/IPv4 without options)."""
    transmit_w: NonNegative | None = None
    """Power of the radio while it sends, beyond the device's own, in watts; left out, it is unknown."""
    receive_w: NonNegative | None = None
    """Power of the radio while it receives, beyond the device's own, in watts; left out, it is unknown."""
    cell: Name | None = None
    """The one of `cells` whose capacity the devices share; uplink_mbps and downlink_mbps then limit each device."""


class Cell(Settings):
    """Capacity that links share: all active devices alike, but none beyond what its own link can carry."""

    uplink_mbps: Positive
    """All devices to the cloud, 10^6 bits per second; `.inf` for no limit."""
    downlink_mbps: Positive
    """The cloud to all devices, 10^6 bits per second; `.inf` for no limit."""
