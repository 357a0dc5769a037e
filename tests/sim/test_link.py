from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.clock import SECOND, Clock
from sim.link import Direction, Link, bits_per_second
from sim.transfer import Ledger

BYTE_A_MICROSECOND = 8.0
"""Bandwidth in 10^6 bits per second at which a byte takes 1000 ns."""


class Wire:
    """A link, and what becomes of the messages that are sent over it."""

    def __init__(self, seed: int = 0, **direction) -> None:
        self.clock = Clock()
        self.received: list[object] = []
        self.arrived = []
        self.generators = 0

        def generator():
            self.generators += 1
            return np.random.default_rng(seed)

        self.link = Link(
            self.clock, Direction(**direction), generator, self.received.append, self.arrived.append
        )

    def send_at(self, *messages: tuple[int, int]) -> Wire:
        """Send messages of a time and a payload each, and let all of them arrive."""
        for number, (time, payload) in enumerate(messages):
            self.clock.call_at(time, lambda n=number, p=payload: self.link.send(p, n))
        self.clock.run()
        return self

    @property
    def events(self) -> list[tuple[int | None, ...]]:
        """When each message was queued, began, was sent and was delivered."""
        return [(t.queued_at, t.start_at, t.sent_at, t.delivered_at) for t in self.arrived]


def test_a_message_takes_its_bytes_with_headers_and_then_the_latency():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, latency_ms=2.0, packet_bytes=100, header_bytes=10)
    assert wire.send_at((500, 250)).events == [(500, 500, 280_500, 2_280_500)]  # 250 + 3 * 10 bytes


def test_messages_wait_for_those_before_them():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, latency_ms=1.0, packet_bytes=1000, header_bytes=0)
    assert wire.send_at((0, 100), (0, 50), (120_000, 10), (300_000, 1)).events == [
        #  queued    start     sent      delivered
        (0, 0, 100_000, 1_100_000),
        (0, 100_000, 150_000, 1_150_000),
        (120_000, 150_000, 160_000, 1_160_000),
        (300_000, 300_000, 301_000, 1_301_000),
    ]


def test_infinite_bandwidth_leaves_only_the_latency():
    wire = Wire(bandwidth_mbps=math.inf, latency_ms=0.5)
    assert wire.send_at((7, 10**9), (7, 1)).events == [(7, 7, 7, 500_007), (7, 7, 7, 500_007)]


def test_an_ideal_link_delivers_at_once_and_in_order():
    wire = Wire(bandwidth_mbps=math.inf)
    assert wire.send_at((7, 100), (7, 1), (7, 50)).events == [(7, 7, 7, 7)] * 3
    assert wire.received == [0, 1, 2]


def test_an_empty_message_is_one_packet():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, header_bytes=40)
    assert wire.send_at((0, 0)).events == [(0, 0, 40_000, 40_000)]


@pytest.mark.parametrize(("payload", "packets"), [(0, 1), (1, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_packets(payload, packets):
    wire = Wire(bandwidth_mbps=math.inf, packet_bytes=100, header_bytes=10).send_at((0, payload))
    assert (wire.arrived[0].payload_bytes, wire.arrived[0].header_bytes) == (payload, 10 * packets)


def test_jitter_comes_on_top_of_the_latency_and_never_reorders():
    wire = Wire(bandwidth_mbps=math.inf, latency_ms=1.0, jitter_ms=100.0)
    delivered = [events[-1] for events in wire.send_at(*((k * 1000, 1) for k in range(50))).events]
    assert wire.received == list(range(50))
    assert delivered == sorted(delivered)
    assert min(delivered) > 1_000_000
    assert len(set(delivered)) < 50  # some caught up with the one ahead of them


def test_the_mean_jitter_is_as_declared():
    wire = Wire(bandwidth_mbps=math.inf, jitter_ms=1.0)
    extra = [end - start for start, *_, end in wire.send_at(*((k * SECOND, 1) for k in range(2000))).events]
    assert abs(np.mean(extra) - 1e6) < 4 * 1e6 / math.sqrt(2000)


def test_lost_packets_are_sent_again_and_take_their_time():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, loss=0.5, packet_bytes=100, header_bytes=10)
    (transfer,) = wire.send_at((0, 10_000)).arrived
    assert transfer.retransmitted_bytes > 0
    assert transfer.retransmitted_bytes % 110 == 0  # whole packets
    assert transfer.sent_at == 1000 * (11_000 + transfer.retransmitted_bytes)


def test_the_mean_loss_is_as_declared():
    wire = Wire(bandwidth_mbps=math.inf, loss=0.2, packet_bytes=100, header_bytes=0)
    ledger = wire.send_at((0, 100 * 20_000)).link.ledger
    assert abs(ledger.lost / ledger.sent - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 20_000)


@pytest.mark.parametrize(("randomness", "generators"), [({}, 0), ({"loss": 0.1}, 1), ({"jitter_ms": 1.0}, 1)])
def test_a_generator_is_made_where_there_is_something_to_draw(randomness, generators):
    wire = Wire(bandwidth_mbps=1.0, **randomness).send_at((0, 100), (5, 10_000))
    assert wire.generators == generators


def test_loss_and_jitter_have_draws_of_their_own():
    loss, jitter = {"loss": 0.4}, {"jitter_ms": 3.0}
    lossy, late, both = (
        Wire(3, bandwidth_mbps=math.inf, **randomness).send_at((0, 100_000), (9, 100_000))
        for randomness in (loss, jitter, loss | jitter)
    )
    assert [t.retransmitted_bytes for t in both.arrived] == [t.retransmitted_bytes for t in lossy.arrived]
    assert both.events == late.events
    spawned = np.random.default_rng(3).spawn(2)
    lost = int(spawned[0].negative_binomial(69, 0.6))
    assert lossy.arrived[0].retransmitted_bytes == -(-lost * 102_760 // 69)
    assert late.arrived[0].delivered_at == round(spawned[1].exponential(0.003) * SECOND)


def test_messages_are_numbered():
    wire = Wire(bandwidth_mbps=1.0).send_at((0, 10), (0, 10), (9, 10))
    assert [transfer.message for transfer in wire.arrived] == [0, 1, 2]


def test_unfinished_messages_are_those_queued_or_on_their_way():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, latency_ms=1.0, packet_bytes=1000, header_bytes=0)
    for content in "abc":
        wire.link.send(100, content)
    wire.clock.run(until=150_000)
    assert [(t.content, t.has_started(150_000)) for t in wire.link.unfinished] == [
        ("a", True),
        ("b", True),
        ("c", False),
    ]
    assert wire.link.ledger == Ledger(queued=100, sent=200, delivered=0, lost=0, in_flight=200)
    wire.clock.run()
    assert not list(wire.link.unfinished)
    assert wire.link.ledger == Ledger(queued=0, sent=300, delivered=300, lost=0, in_flight=0)


def test_ten_thousand_messages_of_an_awkward_size_lose_no_nanosecond():
    wire = Wire(bandwidth_mbps=7.0, packet_bytes=1460, header_bytes=40)
    wire.send_at(*[(0, 1)] * 10_000)
    exact = Fraction(8 * 41 * 10_000 * SECOND, 7_000_000)
    assert wire.events[-1][2] == math.ceil(exact)


DIRECTIONS = st.fixed_dictionaries(
    {
        "bandwidth_mbps": st.sampled_from([math.inf, 0.001, 0.7, 3.0, 1000.0]),
        "latency_ms": st.sampled_from([0.0, 0.3, 50.0]),
        "jitter_ms": st.sampled_from([0.0, 0.01, 200.0]),
        "loss": st.sampled_from([0.0, 0.05, 0.6]),
        "packet_bytes": st.integers(1, 2000),
        "header_bytes": st.integers(0, 60),
    }
)
SENDINGS = st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 20_000)), min_size=1, max_size=20)


@given(DIRECTIONS, SENDINGS, st.integers(0, 2**32))
@settings(max_examples=60)
def test_the_ledger_balances_at_every_event(direction, sendings, seed):
    wire = Wire(seed, **direction)
    handed_over = []
    for number, (time, payload) in enumerate(sendings):
        wire.clock.call_at(time, lambda n=number, p=payload: handed_over.append(wire.link.send(p, n)))
    while wire.clock.peek() != math.inf:
        wire.clock.step()
        now, ledger = wire.clock.time, wire.link.ledger
        assert ledger.sent == ledger.delivered + ledger.lost + ledger.in_flight
        started = [t for t in handed_over if t.start_at <= now]
        assert ledger.sent == sum(t.wire_bytes for t in started)
        assert ledger.queued == sum(t.wire_bytes for t in handed_over) - ledger.sent
        assert ledger.in_flight == sum(t.wire_bytes for t in started if t not in wire.arrived)
        assert list(wire.link.unfinished) == [t for t in handed_over if t not in wire.arrived]
    ledger = wire.link.ledger
    arriving = sum(t.payload_bytes + t.header_bytes for t in wire.arrived)
    lost = sum(transfer.retransmitted_bytes for transfer in wire.arrived)
    assert ledger == Ledger(queued=0, sent=arriving + lost, delivered=arriving, lost=lost, in_flight=0)
    assert sum(transfer.payload_bytes for transfer in wire.arrived) == sum(size for _, size in sendings)


@given(DIRECTIONS, SENDINGS, st.integers(0, 2**32))
@settings(max_examples=60)
def test_messages_arrive_in_order_and_no_earlier_than_they_can(direction, sendings, seed):
    wire = Wire(seed, **direction).send_at(*sorted(sendings))
    assert wire.received == list(range(len(sendings)))
    latency = round(direction["latency_ms"] * 1e6)
    for queued, start, sent, delivered in wire.events:
        assert queued <= start <= sent <= delivered - latency
    starts_and_ends = [time for _, start, sent, _ in wire.events for time in (start, sent)]
    assert starts_and_ends == sorted(starts_and_ends)


def test_a_ledger_keeps_the_account_of_its_moment():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, header_bytes=0)
    wire.link.send(100, "a")
    before = wire.link.ledger
    wire.clock.run()
    assert before == Ledger(queued=0, sent=100, delivered=0, lost=0, in_flight=100)


def test_a_message_costs_one_event_even_where_it_waits():
    wire = Wire(bandwidth_mbps=BYTE_A_MICROSECOND, latency_ms=1.0)
    for _ in range(10):
        wire.link.send(100, None)
    events = 0
    while wire.clock.peek() != math.inf:
        wire.clock.step()
        events += 1
    assert (events, len(wire.arrived)) == (10, 10)


def test_who_keeps_a_message_does_not_keep_those_after_it():
    wire = Wire(bandwidth_mbps=1.0).send_at((0, 10), (0, 10), (0, 10))
    assert [transfer.following for transfer in wire.arrived] == [None] * 3


def pieces_of_work(longest_gap, most_bytes):
    return st.lists(
        st.tuples(st.integers(0, longest_gap), st.integers(0, most_bytes)), min_size=1, max_size=40
    )


@given(st.integers(1, 10**10), pieces_of_work(10**6, 10**6))
@example(7 * 10**9, [(0, 5), (5, 5)])  # arrives just before the first ends at 5.71 ns
@example(7 * 10**9, [(0, 5), (6, 5)])  # arrives as it ends, rounded up
def test_service_equals_exact_arithmetic(rate, pieces):
    check_service(rate, pieces)


@given(st.integers(10**8, 10**10), pieces_of_work(30, 4))
def test_service_equals_exact_arithmetic_where_nanoseconds_matter(rate, pieces):
    check_service(rate, pieces)


def check_service(rate, pieces):
    """Compare with exact fluid service; beside the message's end, its start is that of the one before."""
    wire = Wire(bandwidth_mbps=rate / 1e6, header_bytes=0)
    now, free_at, expected = 0, Fraction(0), []
    for gap, payload in pieces:
        now += gap
        start = max(free_at, Fraction(now))
        free_at = start + Fraction(8 * payload * SECOND, rate)
        expected.append((now, math.ceil(start), math.ceil(free_at), math.ceil(free_at)))
        wire.clock.call_at(now, lambda payload=payload: wire.link.send(payload, None))
    wire.clock.run()
    assert wire.events == expected


@pytest.mark.parametrize(
    ("mbps", "rate"), [(math.inf, None), (1.0, 10**6), (0.0000014, 1), (1e-9, 1), (2.5e3, 2_500_000_000)]
)
def test_bits_per_second(mbps, rate):
    assert bits_per_second(mbps) == rate
