"""What a scenario file may say of the network: each device's link, and what links share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from scenarios import catalogue
from scenarios.profile import Profiled
from scenarios.settings import (
    LONGEST_S,
    MOST_BYTES,
    Bytes,
    Duration,
    Limit,
    Milliseconds,
    Name,
    NonNegative,
    Seconds,
    Settings,
    at_most,
    number_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    class BandwidthModel(Protocol):
        """What `sim.bandwidths` offers."""

        def pieces(self, generator: Callable[[], np.random.Generator]) -> Iterator[tuple[int, int]]:
            """Yield times in nanoseconds, from 0 on, and the bits per second from then on."""

    class LatencyDistribution(Protocol):
        """What `sim.latencies` offers."""

        @property
        def least_ms(self) -> float:
            """No draw is below it."""

        def sampler(self, generator: np.random.Generator) -> Callable[[], float]:
            """Return what draws a latency in seconds."""

    Bandwidth = float | BandwidthModel
    Latency = float | LatencyDistribution
else:
    Bandwidth = catalogue.number_or(Limit, catalogue.BANDWIDTHS, "model")
    Latency = catalogue.number_or(Milliseconds, catalogue.LATENCIES, "distribution")


def _pair(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("must be an interval [from, to]")
    return value


Interval = Annotated[
    tuple[Seconds, Annotated[Duration, Field(gt=0)]],
    Field(strict=False),
    BeforeValidator(_pair),
]
Mean = Annotated[Duration, Field(ge=1e-3)]
"""Mean of a random duration in seconds: far above a nanosecond, or outages would never come to an end."""
RoundTrip = Annotated[float, Field(ge=1e-6), at_most(1000 * LONGEST_S, "one without end")]
"""Milliseconds, a nanosecond at least."""
Superseded = Literal["keep", "drop", "replace"]


class Outages(Settings):
    """When something is down: at times that are known, at random, or both."""

    scheduled_s: Annotated[tuple[Interval, ...], Field(strict=False)] = ()
    """Intervals [from, to] in seconds, in order and apart from each other."""
    mean_up_s: Mean | None = None
    """Mean of the exponential times between random outages; null for none of these."""
    mean_down_s: Mean | None = Field(default=None, validate_default=True)
    """Mean of the exponential duration of random outages."""

    @field_validator("scheduled_s")
    @classmethod
    def _follow_one_another(
        cls, scheduled_s: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        for begin, end in scheduled_s:
            if end <= begin:
                raise ValueError(
                    f"an outage must end after it begins, unlike [{number_text(begin)}, {number_text(end)}]"
                )
        for (_, end), (begin, _) in pairwise(scheduled_s):
            if begin <= end:
                raise ValueError(
                    f"outages must be apart and in order, but one to {number_text(end)} is followed by one from "
                    f"{number_text(begin)}"
                )
        return scheduled_s

    @field_validator("mean_down_s")
    @classmethod
    def _belongs_to_mean_up(cls, mean_down_s: float | None, info: ValidationInfo) -> float | None:
        if "mean_up_s" in info.data and (mean_down_s is None) != (info.data["mean_up_s"] is None):
            raise ValueError("mean_up_s and mean_down_s belong together: give both, or none")
        return mean_down_s


class Retry(Settings):
    """How a message is sent again after an outage has made an attempt fail: as a whole, after a pause."""

    first_backoff_s: Annotated[Duration, Field(ge=1e-3)] = 1.0
    """Pause after the first failure."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """What each further failure multiplies the pause by."""
    longest_backoff_s: Annotated[Duration, Field(ge=1e-3)] = Field(default=60.0, validate_default=True)
    """The pause grows no longer."""
    most_attempts: Annotated[int, Field(ge=1)] | None = None
    """Attempts after which the message is given up; null for no end."""

    @field_validator("longest_backoff_s")
    @classmethod
    def _bounds_what_grows(cls, longest_backoff_s: float, info: ValidationInfo) -> float:
        first_backoff_s = info.data.get("first_backoff_s")
        if first_backoff_s is not None and longest_backoff_s < first_backoff_s:
            raise ValueError(
                f"must be at least first_backoff_s, {number_text(first_backoff_s)}, unlike "
                f"{number_text(longest_backoff_s)}"
            )
        return longest_backoff_s


class Outbox(Settings):
    """What a device keeps until the uplink has time for it, beside the message that is being sent.

    The bounds are for messages of samples; statistics and the like always find room.
    """

    messages: Annotated[int, Field(ge=0)] | None = None
    """Messages that can wait; null for any number."""
    capacity_bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes on the wire that can wait; null for any number."""
    overflow: Literal["drop_oldest", "drop_newest", "drop_least_informative"] = "drop_oldest"
    """Which message goes when another does not fit; the least informative has the lowest mean entropy of samples, and
    of equal ones it is the oldest. Where the cloud predicts, no entropy is known: then it is always the oldest."""

    @field_validator("overflow")
    @classmethod
    def _overflows(cls, overflow: str, info: ValidationInfo) -> str:
        bounds = ("messages", "capacity_bytes")
        if overflow != "drop_oldest" and all(info.data.get(bound, 0) is None for bound in bounds):
            raise ValueError("an outbox without bounds never overflows; give messages or capacity_bytes")
        return overflow

    @property
    def bounded(self) -> bool:
        """Whether anything is ever dropped."""
        return self.messages is not None or self.capacity_bytes is not None


class Link(Profiled):
    """A device's own link; the directions do not disturb each other.

    Messages are cut into packets; each lost packet is sent again until it arrives, and every copy takes time. With a
    loss p that leaves on average (1 - p) * payload / (payload + headers) of the bandwidth as goodput.
    """

    profiles = "links"

    uplink_mbps: Bandwidth
    """Device to cloud, 10^6 bits per second; `.inf` for no limit, or a model of how it changes."""
    downlink_mbps: Bandwidth
    """Cloud to device, 10^6 bits per second; `.inf` for no limit, or a model of how it changes."""
    latency_ms: Latency = 0.0
    """Propagation delay in each direction: a number, or a distribution from which each message draws; no message
    overtakes another."""
    jitter_ms: Milliseconds = 0.0
    """Mean of an exponential extra delay, drawn for each message; it never reorders messages."""
    loss: Annotated[float, Field(ge=0, le=0.99)] = 0.0
    """Probability that a packet is lost."""
    uplink_latency_ms: Latency | None = None
    """Replaces latency_ms upwards; likewise the next five."""
    downlink_latency_ms: Latency | None = None
    uplink_jitter_ms: Milliseconds | None = None
    downlink_jitter_ms: Milliseconds | None = None
    uplink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    downlink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    packet_bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)] = 1460
    """Largest payload of one packet."""
    header_bytes: Bytes = 40
    """Header of each packet (TCP/IPv4 without options)."""
    message_overhead_bytes: Bytes = 0
    """What each message takes beside its payload and its packets' headers, such as TLS records and HTTP headers."""
    acknowledgement_bytes: Bytes = 0
    """Sent back over the other direction for each packet that has arrived, all of a message together; 40 is a TCP
    acknowledgement without options. 0: acknowledgements cost nothing."""
    mathis_rtt_ms: RoundTrip | None = None
    """Round-trip time with which TCP's throughput under the link's loss caps the rate of each direction:
    MSS / RTT * sqrt(3/2) / sqrt(loss), Mathis et al. (1997), with packet_bytes as MSS and header_bytes on top; null for
    no cap."""
    outages: Outages | None = None
    """When the link is down, in both directions; what has been sent arrives all the same."""
    on_outage: Literal["pause", "retry"] = "pause"
    """What becomes of a message that an outage of its link, cell or region meets: it goes on afterwards, or all that
    was sent of it is lost and it is sent again."""
    retry: Retry = Retry()
    """How it is sent again."""
    outbox: Outbox = Outbox()
    """Bounds what waits on the device for the uplink."""
    superseded: Superseded = "keep"
    """What becomes of a version that still waits for the downlink when a newer one is published: it is sent all the
    same, dropped, or replaced by the newer one in its place."""
    transmit_w: NonNegative | None = None
    """Power of the radio while it sends, beyond what the device draws anyway; null where it is not known."""
    receive_w: NonNegative | None = None
    """Power of the radio while it receives, likewise."""
    cell: Name | None = None
    """The one of `cells` whose capacity the devices share; uplink_mbps and downlink_mbps then limit each device."""
    region: Name | None = None
    """The one of `regions` through which the devices reach the cloud."""

    @field_validator("mathis_rtt_ms")
    @classmethod
    def _caps_what_loses(cls, mathis_rtt_ms: float | None, info: ValidationInfo) -> float | None:
        losses = ("loss", "uplink_loss", "downlink_loss")
        if mathis_rtt_ms is not None and all(info.data.get(loss, 1) in (0, None) for loss in losses):
            raise ValueError("caps nothing without loss; give loss, uplink_loss or downlink_loss")
        return mathis_rtt_ms

    @field_validator("retry")
    @classmethod
    def _is_tried_again(cls, retry: Retry, info: ValidationInfo) -> Retry:
        if retry != Retry() and info.data.get("on_outage", "retry") != "retry":
            raise ValueError("nothing is sent again where on_outage is pause; give `on_outage: retry`")
        return retry

    @field_validator("cell")
    @classmethod
    def _has_constant_limits(cls, cell: str | None, info: ValidationInfo) -> str | None:
        for name in ("uplink_mbps", "downlink_mbps"):
            if cell is not None and not isinstance(info.data.get(name, 0.0), int | float):
                raise ValueError(f"in a cell a device's {name} is a number: let the cell's vary instead")
        return cell


class Cell(Settings):
    """Capacity that links share: all active devices alike, but none beyond what its own link can carry."""

    uplink_mbps: Bandwidth
    """All devices to the cloud, 10^6 bits per second; `.inf` for no limit, or a model of how it changes."""
    downlink_mbps: Bandwidth
    """The cloud to all devices, 10^6 bits per second; `.inf` for no limit, or a model of how it changes."""
    outages: Outages | None = None
    """When the whole cell is down, in both directions."""
    updates: Literal["unicast", "multicast"] = "unicast"
    """How versions go down: to each device on its own, or once to all devices that follow one student, at the lowest
    rate, the highest loss and the longest latency among their links, and while none of their regions is down; whose own
    link is down when it arrives misses it. The links agree in on_outage, retry and superseded."""


class Region(Settings):
    """A part of the cloud that links reach it through."""

    outages: Outages
    """When none of its links can carry anything."""
