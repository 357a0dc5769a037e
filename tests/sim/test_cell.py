from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cell import Cell
from sim.clock import SECOND, Clock
from sim.link import Access, Direction, Link
from sim.transfer import Ledger


class Town:
    """Links that share a cell, and what becomes of the messages that are sent over them."""

    def __init__(self, capacity: int | None, limits: list[int | None], **direction) -> None:
        self.clock = Clock()
        self.cell = Cell(self.clock, capacity)
        self.received: list[object] = []
        self.arrived: list[list] = [[] for _ in limits]
        self.links = [
            Link(
                self.clock,
                Direction(math.inf if limit is None else limit / 1e6, **direction),
                lambda: np.random.default_rng(0),
                self.received.append,
                arrived.append,
                self.cell,
            )
            for limit, arrived in zip(limits, self.arrived, strict=True)
        ]

    def plan(self, *messages: tuple[int, int, int]) -> Town:
        """Send messages of a time, a device and a payload each; the contents are their numbers."""
        for number, (time, device, payload) in enumerate(messages):
            self.clock.call_at(time, lambda n=number, d=device, p=payload: self.links[d].send(p, n))
        return self

    def run(self) -> int:
        """Let everything happen; return the number of events."""
        events = 0
        while self.clock.peek() != math.inf:
            self.clock.step()
            events += 1
        return events

    def send(self, *messages: tuple[int, int, int]) -> Town:
        """Send messages and let all of them arrive."""
        self.plan(*messages).run()
        return self

    @property
    def ends(self) -> list[list[int]]:
        """When the last bit of each device's messages left."""
        return [[transfer.sent_at for transfer in arrived] for arrived in self.arrived]


def rates(capacity, limits):
    """Return the max-min fair rates of active devices: raise all alike, fix whoever has reached the limit."""
    given_out = {}
    waiting = dict(limits)
    while waiting:
        level = Fraction(capacity - sum(given_out.values())) / len(waiting)
        limited = {device: limit for device, limit in waiting.items() if limit is not None and limit <= level}
        if not limited:
            return given_out | dict.fromkeys(waiting, level)
        given_out |= limited
        waiting = {device: limit for device, limit in waiting.items() if device not in limited}
    return given_out


def solve(capacity, limits, messages):
    """Return the exact start and end of each device's messages, in order, in nanoseconds as fractions."""
    arrivals = deque(sorted(messages, key=lambda message: message[0]))
    queues = [deque() for _ in limits]  # what is left of each message, in bits
    starts, ends = [[] for _ in limits], [[] for _ in limits]
    now = Fraction(0)
    while arrivals or any(queues):
        for device, queue in enumerate(queues):
            while queue and len(starts[device]) == len(ends[device]):
                starts[device].append(now)
                if queue[0] > 0:
                    break
                queue.popleft()
                ends[device].append(now)
        active = {device: limits[device] for device, queue in enumerate(queues) if queue}
        shares = rates(capacity, active)
        steps = [queues[device][0] * SECOND / rate for device, rate in shares.items()]
        if arrivals:
            steps.append(arrivals[0][0] - now)
        step = min(steps, default=Fraction(0))
        now += step
        for device, rate in shares.items():
            queues[device][0] -= rate * step / SECOND
            if queues[device][0] == 0:
                queues[device].popleft()
                ends[device].append(now)
        while arrivals and arrivals[0][0] == now:
            _, device, payload = arrivals.popleft()
            queues[device].append(Fraction(8 * payload))
    return starts, ends


def check(capacity, limits, messages, latency_ms=0.0):
    """Compare with the exact solution: nothing is early, or late by a nanosecond."""
    town = Town(capacity, limits, header_bytes=0, latency_ms=latency_ms).send(*messages)
    starts, ends = solve(capacity, limits, messages)
    for device, arrived in enumerate(town.arrived):
        assert len(arrived) == len(ends[device])
        for transfer, start, end in zip(arrived, starts[device], ends[device], strict=True):
            assert math.ceil(start) <= transfer.start_at <= math.ceil(start) + 1
            assert math.ceil(end) <= transfer.sent_at <= math.ceil(end) + 1
            assert end <= transfer.sent_at < end + 1 + Fraction(1, 1000)
            assert transfer.delivered_at == transfer.sent_at + round(latency_ms * 1e6)


LIMITS = st.lists(st.sampled_from([None, 1000, 70_001, 10**6, 10**9]), min_size=1, max_size=6)
CAPACITIES = st.sampled_from([1, 999, 65_537, 10**6, 7_000_003, 10**10])


@st.composite
def worlds(draw, longest=10**9, most_bytes=3000):
    limits = draw(LIMITS)
    message = st.tuples(st.integers(0, longest), st.integers(0, len(limits) - 1), st.integers(0, most_bytes))
    return draw(CAPACITIES), limits, sorted(draw(st.lists(message, min_size=1, max_size=25)))


@given(worlds(), st.sampled_from([0.0, 0.001, 1.0, 10_000.0]))
@settings(max_examples=150)
def test_shares_are_max_min_fair_at_every_event(world, latency_ms):
    check(*world, latency_ms)


@given(worlds(longest=60, most_bytes=8), st.sampled_from([0.0, 3e-6, 1.0]))
@settings(max_examples=150)
def test_shares_are_max_min_fair_where_nanoseconds_matter(world, latency_ms):
    check(*world, latency_ms)


@given(worlds(longest=1000, most_bytes=8), st.lists(st.integers(1, 2000), max_size=10, unique=True))
@settings(max_examples=150)
def test_reading_the_accounts_changes_neither_what_happens_nor_its_order(world, readings):
    capacity, limits, messages = world
    unread, read = (Town(capacity, limits, latency_ms=5e-5).plan(*messages) for _ in range(2))
    for time in sorted(readings):
        read.clock.run(until=time)
        assert sum(link.ledger.sent for link in read.links) >= 0
    for town in (unread, read):
        town.run()
    assert events_of(read) == events_of(unread)
    assert read.received == unread.received


def test_an_account_knows_of_an_end_before_the_message_arrives():
    town = Town(8_000_000, [None, None], header_bytes=0, latency_ms=1.0)  # a byte a microsecond
    town.plan((0, 0, 100), (0, 0, 50)).clock.run(until=120_000)
    assert town.links[0].ledger == Ledger(queued=0, sent=150, delivered=0, lost=0, in_flight=150)
    assert [(t.start_at, t.sent_at) for t in town.links[0].unfinished] == [(0, 100_000), (100_000, None)]


def test_links_of_different_latency_share_a_cell():
    """A message on the quick link arrives in time while the cell waits for one on the slow link."""
    town = Town(8_000_000, [None], header_bytes=0, latency_ms=100.0)
    quick = Direction(math.inf, latency_ms=1.0, header_bytes=0)
    arrived = []
    link = Link(
        town.clock, quick, lambda: np.random.default_rng(0), lambda _: None, arrived.append, town.cell
    )
    town.plan((0, 0, 1000)).clock.call_at(200_000, lambda: link.send(100, None))
    town.run()
    assert [(t.sent_at, t.delivered_at) for t in arrived] == [(400_000, 1_400_000)]
    assert [(t.sent_at, t.delivered_at) for t in town.arrived[0]] == [(1_100_000, 101_100_000)]


def test_a_long_busy_period_does_not_drift():
    """Three hundred messages of awkward sizes from five devices, of which one or another is always active."""
    messages = sorted((17 * k % 9001 * 1000, k % 5, 1 + 7919 * k % 2003) for k in range(300))
    check(1_000_003, [None, None, 70_001, 300_007, 10**9], messages)


def test_the_reference_is_max_min_fair():
    assert rates(90, {"a": 10, "b": None, "c": 50}) == {"a": 10, "b": 40, "c": 40}
    assert rates(90, {"a": 10, "b": None, "c": 30}) == {"a": 10, "b": 50, "c": 30}
    assert rates(90, {"a": 10, "b": 20}) == {"a": 10, "b": 20}


@pytest.mark.parametrize("devices", [1, 2, 3, 7, 100])
def test_equal_messages_at_once_end_together(devices):
    town = Town(1_000_003, [None] * devices, header_bytes=0).send(*((5, d, 1234) for d in range(devices)))
    assert town.ends == [[5 + math.ceil(Fraction(devices * 8 * 1234 * SECOND, 1_000_003))]] * devices


def test_the_links_own_limits_leave_the_rest_to_others():
    # Bits per second: 2 Mbit for the limited one and 8 for the other, which then has all ten.
    town = Town(10_000_000, [2_000_000, None], header_bytes=0)
    town.send((0, 0, 250_000), (0, 1, 500_000), (500_000_000, 1, 250_000))
    assert town.ends == [[SECOND], [SECOND // 2, 750_000_000]]


def test_messages_of_a_device_wait_for_one_another():
    town = Town(8_000_000, [None, None], header_bytes=0)
    town.send((0, 0, 100), (0, 0, 100), (0, 1, 100))  # a byte a microsecond
    assert [(t.start_at, t.sent_at) for t in town.arrived[0]] == [(0, 200_000), (200_000, 300_000)]
    assert [(t.start_at, t.sent_at) for t in town.arrived[1]] == [(0, 200_000)]


@given(worlds(), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 50.0]))
@settings(max_examples=50)
def test_messages_of_a_device_arrive_in_order(world, loss, jitter_ms):
    capacity, limits, messages = world
    town = Town(capacity, limits, loss=loss, jitter_ms=jitter_ms, latency_ms=1.0).send(*messages)
    assert sorted(town.received) == list(range(len(messages)))
    for arrived in town.arrived:
        contents = [transfer.content for transfer in arrived]
        assert contents == sorted(contents)
        for t in arrived:
            assert t.queued_at <= t.start_at <= t.sent_at <= t.delivered_at - 1_000_000


@given(
    st.lists(st.tuples(st.integers(0, 10**8), st.just(0), st.integers(0, 20_000)), min_size=1, max_size=20),
    st.sampled_from([None, 1000, 700_000, 10**9]),
    st.sampled_from([0.0, 0.2]),
    st.sampled_from([0.0, 3.0]),
)
@settings(max_examples=50)
def test_a_cell_without_limit_is_as_good_as_a_private_link(messages, limit, loss, jitter_ms):
    town = Town(None, [limit], loss=loss, jitter_ms=jitter_ms, latency_ms=2.0).send(*sorted(messages))
    private = Town(None, [limit])
    direction, arrived = town.links[0].direction, private.arrived[0]
    private.links[0] = Link(
        private.clock, direction, lambda: np.random.default_rng(0), private.received.append, arrived.append
    )
    private.send(*sorted(messages))
    assert events_of(town) == events_of(private)


def test_one_device_alone_is_as_good_as_on_a_private_link():
    """Also in a cell that could carry more than the device's link: it then differs by nothing but rounding."""
    messages = [(k * 1000, 0, 10 + k) for k in range(100)]
    alone, unlimited = (Town(capacity, [700_001]).send(*messages) for capacity in (800_000, None))
    for mine, exact in zip(alone.ends[0], unlimited.ends[0], strict=True):
        assert 0 <= mine - exact <= 1


def events_of(town):
    return [
        (t.content, t.queued_at, t.start_at, t.sent_at, t.delivered_at)
        for arrived in town.arrived
        for t in arrived
    ]


@given(worlds(), st.sampled_from([0.0, 0.3]))
@settings(max_examples=50)
def test_the_ledgers_balance_at_every_event(world, loss):
    capacity, limits, messages = world
    town = Town(capacity, limits, loss=loss, latency_ms=0.5)
    handed_over = [[] for _ in limits]
    for number, (time, device, payload) in enumerate(messages):
        town.clock.call_at(
            time, lambda n=number, d=device, p=payload: handed_over[d].append(town.links[d].send(p, n))
        )
    while town.clock.peek() != math.inf:
        town.clock.step()
        for link, sent, arrived in zip(town.links, handed_over, town.arrived, strict=True):
            ledger = link.ledger
            assert ledger.sent == ledger.delivered + ledger.lost + ledger.in_flight
            assert ledger.sent == sum(t.wire_bytes for t in sent if t.start_at is not None)
            assert ledger.queued + ledger.sent == sum(t.wire_bytes for t in sent)
            assert ledger.delivered + ledger.lost == sum(t.wire_bytes for t in arrived)
    assert all(link.ledger.in_flight == link.ledger.queued == 0 for link in town.links)


@given(worlds(longest=10**6))
@settings(max_examples=50)
def test_no_more_than_the_capacity_is_ever_served(world):
    """Whatever has ended by some moment since the first message fits into the capacity until then."""
    capacity, limits, messages = world
    town = Town(capacity, limits).send(*messages)
    first = min(time for time, _, _ in messages)
    bits = 0
    for end, sent in sorted((t.sent_at, 8 * t.wire_bytes) for arrived in town.arrived for t in arrived):
        bits += sent
        assert bits * SECOND <= (end - first) * capacity


@pytest.mark.parametrize("devices", [10, 1000])
def test_events_of_a_message_do_not_depend_on_the_number_of_active_ones(devices):
    messages = [(k * 1000 % 777_777, k % devices, 1000 + 37 * k % 500) for k in range(2 * devices)]
    town = Town(10_000_000, [None] * devices).plan(*sorted(messages))
    events = town.run() - len(messages)  # those that sent them
    assert sum(map(len, town.arrived)) == len(messages)
    assert (
        2 <= events / len(messages) <= 4
    )  # the end and the arrival, and what new starts put off or bring forward


@pytest.mark.parametrize("devices", [10, 1000])
def test_a_cell_wakes_up_once_in_a_latency_for_all_messages(devices):
    messages = [(k * 1000, k % devices, 10) for k in range(2 * devices)]  # in 8 ms of service, or 800
    town = Town(1_000_000, [None] * devices, latency_ms=devices / 10).plan(*messages)
    events = town.run() - len(messages)
    assert sum(map(len, town.arrived)) == len(messages)
    assert len(messages) < events <= len(messages) + 20


def test_links_of_one_limit_form_a_tier():
    town = Town(10**6, [None, 1000, None, 1000, 5])
    shares = [town.cell.join(Access(limit, 0, lambda transfer: None)) for limit in (None, 1000, 5)]
    assert len({id(share.tier) for share in shares}) == 3
    assert Town(None, [1000]).cell.join(Access(1000, 0, lambda transfer: None)) is None


def test_a_fresh_link_has_an_empty_ledger():
    assert Town(10**6, [None]).links[0].ledger == Ledger()


def test_devices_of_a_simulation_share_a_cell(tiny, tmp_path):
    """Two devices whose links could carry their uploads at once wait for the cell that both are parts of."""
    link = {"uplink_mbps": 0.5, "downlink_mbps": 0.5}
    folders = {
        capacity: tiny.run(
            tmp_path / str(capacity),
            strategy=tiny.cema(),
            cells={"town": {"uplink_mbps": capacity, "downlink_mbps": math.inf}},
            groups={"cameras": tiny.group(count=2, link=link | {"cell": "town"})},
        )
        for capacity in (0.005, math.inf)
    }
    alone = tiny.run(
        tmp_path / "alone", strategy=tiny.cema(), groups={"cameras": tiny.group(count=2, link=link)}
    )
    transfers = {name: (folder / "transfers.parquet").read_bytes() for name, folder in folders.items()}
    assert transfers[math.inf] == (alone / "transfers.parquet").read_bytes()
    rows = pq.read_table(folders[0.005] / "transfers.parquet").to_pylist()
    up = [row for row in rows if row["direction"] == "up" and row["status"] == "delivered"]
    bits = 8 * sum(row["payload_bytes"] + row["header_bytes"] for row in up)
    assert 0.8 * 0.005e6 * 10 < bits <= 0.005e6 * 10  # ten seconds
    unsent = [row["status"] for row in rows if row["sent_s"] is None]
    assert "queued" in unsent
