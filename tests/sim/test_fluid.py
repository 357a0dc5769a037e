"""Links and cells against exact fluid service, and the exact fluid service against its definition."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cell import Cell
from sim.clock import SECOND, Clock
from sim.link import Direction, Link
from sim.outages import Outage, Outages
from tests.sim.fluid_solver import FluidLink, constant, progressive_filling, solve, value_at

MEGA = 10**6


def ends(capacities, links, messages):
    """Return the ends of each link's messages in microseconds."""
    flights, _ = solve(capacities, links, messages)
    return [[None if flight.end is None else flight.end / 1000 for flight in link] for link in flights]


# The reference itself: cases that a reader can work out in the head. A rate of a million is a bit a microsecond.


def test_equal_shares_until_one_has_ended():
    """Both at half the rate until 20 us; then the longer one has the rest of its 30 bits alone."""
    links = [FluidLink("town"), FluidLink("town")]
    messages = [(0, 0, 10), (0, 1, 30)]
    assert ends({"town": constant(MEGA)}, links, messages) == [[20], [40]]


def test_what_a_limited_link_leaves_is_shared():
    """A fifth for the limited one, so that the other two have two fifths each."""
    links = [FluidLink("town", constant(MEGA // 5)), FluidLink("town"), FluidLink("town")]
    messages = [(0, 0, 10), (0, 1, 20), (0, 2, 20)]
    assert ends({"town": constant(MEGA)}, links, messages) == [[50], [50], [50]]


def test_messages_of_a_link_follow_one_another():
    flights, _ = solve(
        {"town": constant(MEGA)}, [FluidLink("town")], [(0, 0, 10), (4000, 0, 5), (90_000, 0, 1)]
    )
    assert [(each.start / 1000, each.end / 1000) for each in flights[0]] == [(0, 10), (10, 15), (90, 91)]


def test_a_capacity_that_changes():
    """Ten bits at full rate, nothing from 10 to 30 us, and the other ten at half the rate."""
    capacity = ((0, MEGA), (10_000, 0), (30_000, MEGA // 2))
    assert ends({"town": capacity}, [FluidLink("town")], [(0, 0, 20)]) == [[50]]


def test_a_limit_that_changes():
    """From 10 us on the first link gets a tenth of the capacity and leaves the rest of its half to the second."""
    links = [FluidLink("town", ((0, None), (10_000, MEGA // 10))), FluidLink("town")]
    assert ends({"town": constant(MEGA)}, links, [(0, 0, 6), (0, 1, 14)]) == [[20], [20]]


def test_an_outage_pauses_a_link_and_leaves_its_share_to_others():
    """Half each until 10 us, the second alone until 20 us, half each again until it ends at 30 us with 5 + 10 + 5."""
    links = [FluidLink("town", outages=((10_000, 20_000),)), FluidLink("town")]
    assert ends({"town": constant(MEGA)}, links, [(0, 0, 15), (0, 1, 20)]) == [[35], [30]]


def test_a_message_that_comes_during_an_outage_waits_for_its_end():
    link = FluidLink("own", constant(MEGA), outages=((5000, 25_000), (30_000, 40_000)))
    assert ends({"own": constant(None)}, [link], [(10_000, 0, 5), (10_000, 0, 5)]) == [[30, 45]]


@pytest.mark.parametrize(
    ("capacity", "link"),
    [
        (constant(MEGA), FluidLink("town", outages=((2000, None),))),
        (((0, MEGA), (2000, 0)), FluidLink("town")),
    ],
)
def test_what_never_ends_has_no_end(capacity, link):
    flights, _ = solve({"town": capacity}, [link], [(0, 0, 2), (0, 0, 2), (1000, 0, 1)])
    assert [(each.start, each.end) for each in flights[0]] == [(0, 2000), (2000, None), (None, None)]


def test_what_nothing_limits_needs_no_time():
    links = [FluidLink("free"), FluidLink("free", constant(MEGA))]
    messages = [(3000, 0, 10**12), (3000, 0, 1), (3000, 1, 7), (3000, 1, 0)]
    assert ends({"free": constant(None)}, links, messages) == [[3, 3], [10, 10]]


def test_progressive_filling():
    assert progressive_filling(90, {0: 10, 1: None, 2: 50}) == {0: 10, 1: 40, 2: 40}
    assert progressive_filling(90, {0: 10, 1: None, 2: 30}) == {0: 10, 1: 50, 2: 30}
    assert progressive_filling(90, {0: 10, 1: 20}) == {0: 10, 1: 20}
    assert progressive_filling(100, dict.fromkeys(range(3))) == dict.fromkeys(range(3), Fraction(100, 3))
    assert progressive_filling(0, {0: 10, 1: None}) == {0: 0, 1: 0}
    assert progressive_filling(None, {0: 10, 1: None}) == {0: 10, 1: None}


def is_max_min_fair(capacity, limits, rates):
    """Tell whether no link could gain without one that has no more losing, whatever the way the rates were found."""
    within = all(0 <= rates[link] <= (capacity if limits[link] is None else limits[link]) for link in limits)
    used_up = sum(rates.values()) == capacity
    could_gain = [link for link in limits if limits[link] is None or rates[link] < limits[link]]
    nobody_has_more = all(rates[link] == max(rates.values()) for link in could_gain)
    return within and (used_up or not could_gain) and sum(rates.values()) <= capacity and nobody_has_more


@pytest.mark.parametrize(
    ("rates", "fair"),
    [
        ({0: 10, 1: 40, 2: 40}, True),
        ({0: 10, 1: 39, 2: 39}, False),  # something is left
        ({0: 10, 1: 41, 2: 41}, False),  # more than there is
        ({0: 10, 1: 30, 2: 50}, False),  # the third has more than the second, which could gain
        ({0: 20, 1: 35, 2: 35}, False),  # beyond the limit
        ({0: 0, 1: 45, 2: 45}, False),  # the first could gain, and has less
    ],
)
def test_what_is_max_min_fair(rates, fair):
    assert is_max_min_fair(90, {0: 10, 1: None, 2: 50}, rates) is fair


def pieces(values, longest):
    """Draw a rate over time of up to four pieces."""
    starts = st.lists(st.integers(1, longest), max_size=3, unique=True).map(lambda found: [0, *sorted(found)])
    return starts.flatmap(
        lambda starts: st.tuples(*(values for _ in starts)).map(
            lambda drawn: tuple(zip(starts, drawn, strict=True))
        )
    )


def outages(longest):
    """Draw up to two disjoint outages."""
    moments = st.lists(st.integers(0, longest), max_size=4, unique=True).map(sorted)
    return moments.map(lambda found: tuple(zip(found[::2], found[1::2], strict=False)))


LIMITS = st.sampled_from([None, 1000, 70_001, MEGA, 10**9])
BANDS = [[1, 999, 65_537], [65_537, MEGA, 7_000_003, 10**10]]
"""Capacities that change into each other: what is rounded at a high one is not a nanosecond at a low one."""
CAPACITIES = st.sampled_from(sorted({*BANDS[0], *BANDS[1]}))


def varying_capacities(longest):
    return st.sampled_from(BANDS).flatmap(lambda band: pieces(st.sampled_from([0, *band]), longest))


@st.composite
def networks(draw, longest=10**9, most_bits=24_000, varying=False):
    """Draw two cells with a few links each, and messages on all of them.

    With `varying`, capacities and limits change with time, down to nothing, and links have outages.
    """
    capacity, limit, paused = CAPACITIES.map(constant), LIMITS.map(constant), st.just(())
    if varying:
        capacity = varying_capacities(longest)
        limit = pieces(LIMITS | st.just(0), longest)
        paused = outages(longest)
    capacities = {"town": draw(capacity), "farm": draw(capacity)}
    link = st.builds(FluidLink, st.sampled_from(sorted(capacities)), limit, paused)
    links = draw(st.lists(link, min_size=1, max_size=6))
    bits = st.integers(0, most_bits // 8).map(lambda payload: 8 * payload)
    message = st.tuples(st.integers(0, longest), st.integers(0, len(links) - 1), bits)
    return capacities, links, sorted(draw(st.lists(message, min_size=1, max_size=20)))


NETWORKS = networks(varying=True) | networks(longest=100, most_bits=64, varying=True)


@given(NETWORKS)
def test_the_rates_are_max_min_fair_from_event_to_event(network):
    capacities, links, _ = network
    flights, epochs = solve(*network)
    for epoch in epochs:
        for cell, capacity in capacities.items():
            active = {
                number: value_at(links[number].limit, epoch.begin)
                for number, own in enumerate(flights)
                if links[number].cell == cell
                and not links[number].is_down(epoch.begin)
                and any(
                    each.start is not None
                    and each.start <= epoch.begin
                    and each.end != each.start
                    and (each.end is None or each.end > epoch.begin)
                    for each in own
                )
            }
            rates = {link: rate for link, rate in epoch.rates.items() if links[link].cell == cell}
            assert rates.keys() == active.keys()
            assert is_max_min_fair(value_at(capacity, epoch.begin), active, rates)


@given(NETWORKS)
def test_every_bit_is_served_once_and_in_order(network):
    _, links, messages = network
    flights, epochs = solve(*network)
    assert sum(map(len, flights)) == len(messages)
    for number, own in enumerate(flights):
        free_at = Fraction(0)
        for flight in own:
            if flight.start is None or free_at is None:
                assert flight.start is flight.end is free_at is None
                continue
            assert flight.start == max(flight.queued, free_at)
            served = sum(
                epoch.rates.get(number, 0) * (epoch.end - epoch.begin)
                for epoch in epochs
                if flight.start <= epoch.begin and (flight.end is None or epoch.end <= flight.end)
            )
            assert served == (flight.bits - flight.left) * SECOND
            assert (flight.left == 0) is (flight.end is not None)
            free_at = flight.end
    assert all(not links[number].is_down(epoch.begin) for epoch in epochs for number in epoch.rates)


@given(NETWORKS)
def test_cells_of_the_reference_know_nothing_of_one_another(network):
    capacities, links, messages = network
    together, _ = solve(*network)
    for cell in capacities:
        own = [message for message in messages if links[message[1]].cell == cell]
        alone, _ = solve(capacities, links, own)
        for number, link in enumerate(links):
            if link.cell == cell:
                assert [(f.start, f.end) for f in alone[number]] == [
                    (f.start, f.end) for f in together[number]
                ]


# Links and cells of the simulation against the reference.


class Country:
    """Links, their cells and one clock, and what becomes of the messages that are sent over them."""

    def __init__(self, capacities, links, latency_ms=0.0) -> None:
        self.clock = Clock()
        cells = {
            name: Cell(self.clock, pieces[0][1], iter(pieces[1:])) for name, pieces in capacities.items()
        }
        self.arrived = [[] for _ in links]
        self.sent = [[] for _ in links]
        self.links = [
            Link(
                self.clock,
                Direction(
                    math.inf if rate is None else rate / 1e6,
                    latency_ms=latency_ms,
                    packet_bytes=10**9,
                    header_bytes=0,
                ),
                lambda: np.random.default_rng(0),
                lambda _: None,
                arrived.append,
                cells[link.cell],
                outages=Outages(iter(Outage(*each) for each in link.outages)) if link.outages else None,
            )
            for link, arrived in zip(links, self.arrived, strict=True)
            for ((_, rate),) in [link.limit]
        ]

    def send(self, messages, readings=()):
        """Send messages of a time, a link and bits each, and let all of them arrive; read all accounts at times."""
        for time, link, bits in messages:
            self.clock.call_at(
                time,
                lambda link=link, payload=bits // 8: self.sent[link].append(
                    self.links[link].send(payload, None)
                ),
            )
        for time in readings:
            self.clock.call_at(time, self._read)
        self.clock.run()
        return self

    def _read(self):
        for link, sent in zip(self.links, self.sent, strict=True):
            ledger = link.ledger
            assert ledger.queued + ledger.sent == sum(transfer.wire_bytes for transfer in sent)
            assert ledger.in_flight == ledger.sent - ledger.delivered >= 0

    @property
    def times(self):
        """When the turn of each link's messages came and when their last bits left."""
        return [[(transfer.start_at, transfer.sent_at) for transfer in arrived] for arrived in self.arrived]


# What happens so soon after a whole nanosecond is told to have happened then; nothing else is early, and nothing late.
GRACE = Fraction(1, 2**20)


def is_told(time, exact):
    """Tell whether a time is an exact one, rounded up to a whole nanosecond."""
    return math.ceil(exact - GRACE) <= time <= math.ceil(exact)


def check_country(capacities, links, messages, latency_ms=0.0):
    """Compare with the reference."""
    country = Country(capacities, links, latency_ms).send(messages)
    flights, _ = solve(capacities, links, messages)
    for arrived, expected in zip(country.arrived, flights, strict=True):
        assert [8 * transfer.wire_bytes for transfer in arrived] == [flight.bits for flight in expected]
        for transfer, flight in zip(arrived, expected, strict=True):
            assert transfer.queued_at == flight.queued
            assert is_told(transfer.start_at, flight.start)
            assert is_told(transfer.sent_at, flight.end)
            assert transfer.delivered_at == transfer.sent_at + round(latency_ms * 1e6)
    return country


@given(networks(), st.sampled_from([0.0, 0.001, 1.0, 10_000.0]))
@settings(max_examples=150)
def test_cells_on_one_clock_share_as_the_reference_does(network, latency_ms):
    check_country(*network, latency_ms)


@given(networks(longest=60, most_bits=64), st.sampled_from([0.0, 3e-6, 1.0]))
@settings(max_examples=150)
def test_cells_on_one_clock_share_as_the_reference_does_where_nanoseconds_matter(network, latency_ms):
    check_country(*network, latency_ms)


def check_varying(capacities, links, messages, latency_ms=0.0, readings=()):
    """Compare with the reference where links go down and capacities change, and some messages never end."""
    country = Country(capacities, links, latency_ms).send(messages, readings)
    flights, _ = solve(capacities, links, messages)
    for number, (sent, expected) in enumerate(zip(country.sent, flights, strict=True)):
        for transfer, flight in zip(sent, expected, strict=True):
            assert (transfer.start_at is None) == (flight.start is None)
            assert (transfer.sent_at is None) == (flight.end is None)
            if flight.start is not None:
                assert is_told(transfer.start_at, flight.start)
            if flight.end is not None:
                assert is_told(transfer.sent_at, flight.end)
                assert transfer.delivered_at == transfer.sent_at + round(latency_ms * 1e6)
        assert country.arrived[number] == [transfer for transfer in sent if transfer.sent_at is not None]
    return country


@st.composite
def varying_networks(draw, longest=10**9, most_bits=24_000):
    """Draw cells whose capacity changes, down to nothing, links that go down, and messages of a byte at least."""
    capacities = {name: draw(varying_capacities(longest)) for name in ("town", "farm")}
    link = st.builds(
        FluidLink, st.sampled_from(sorted(capacities)), LIMITS.map(constant), st.just(()) | outages(longest)
    )
    links = draw(st.lists(link, min_size=1, max_size=6))
    bits = st.integers(1, most_bits // 8).map(lambda payload: 8 * payload)
    message = st.tuples(st.integers(0, longest), st.integers(0, len(links) - 1), bits)
    return capacities, links, sorted(draw(st.lists(message, min_size=1, max_size=20)))


READINGS = st.lists(st.integers(0, 2 * 10**9), max_size=10, unique=True)


@given(varying_networks(), st.sampled_from([0.0, 0.001, 1.0, 10_000.0]), READINGS)
@settings(max_examples=200)
def test_changing_cells_and_links_that_go_down_are_as_the_reference_has_them(network, latency_ms, readings):
    check_varying(*network, latency_ms, readings)


@given(varying_networks(longest=60, most_bits=64), st.sampled_from([0.0, 3e-6, 1.0]), READINGS)
@settings(max_examples=200)
def test_changing_cells_and_links_that_go_down_where_nanoseconds_matter(network, latency_ms, readings):
    check_varying(*network, latency_ms, [time % 100 for time in readings])


@given(varying_networks(longest=1000, most_bits=640), st.lists(st.integers(0, 2000), max_size=10))
def test_reading_accounts_changes_nothing_in_cells_that_change(network, readings):
    unread, read = (Country(*network[:2], 5e-5).send(network[2], each) for each in ((), readings))
    assert unread.times == read.times


@pytest.mark.parametrize("devices", [3, 7, 11])
def test_what_ends_as_its_link_goes_down_or_its_cell_fails_has_ended(devices):
    """Shares that cannot be written out exactly do not leave the last bit for the time after the outage.

    Messages of equal size begin one after another, so that every start divides what is left anew.
    """
    capacity, bits = constant(MEGA), 8 * 101
    messages = [(17_001 * number, number, bits) for number in range(devices)]
    links = [FluidLink("town") for _ in range(devices)]
    flights, _ = solve({"town": capacity}, links, messages)
    last = flights[-1][0].end
    assert last == devices * bits * 1000  # a bit a microsecond, and never idle
    down = int(last)
    failing = check_varying({"town": ((0, MEGA), (down, 0), (10**9, MEGA))}, links, messages)
    assert failing.times[-1][0][1] == last
    gone = [FluidLink("town", outages=((down, 10**9),)) for _ in range(devices)]
    assert check_varying({"town": capacity}, gone, messages).times[-1][0][1] == last


@given(st.lists(LIMITS, min_size=1, max_size=5), st.data())
def test_links_in_a_cell_without_limit_are_links_of_their_own(limits, data):
    links = [FluidLink("free", constant(limit)) for limit in limits]
    message = st.tuples(
        st.integers(0, 10**6), st.integers(0, len(links) - 1), st.integers(0, 99).map(lambda n: 8 * n)
    )
    messages = sorted(data.draw(st.lists(message, min_size=1, max_size=20)))
    capacities = {"free": constant(None)}
    country = Country(capacities, links).send(messages)
    flights, _ = solve(capacities, links, messages)
    assert country.times == [
        [(math.ceil(flight.start), math.ceil(flight.end)) for flight in own] for own in flights
    ]


HALVES = ("town/up", "town/down", "farm/up", "farm/down")


@given(
    st.lists(st.sampled_from(["town", "farm"]), min_size=1, max_size=4),
    st.fixed_dictionaries(dict.fromkeys(HALVES, CAPACITIES.map(constant))),
    LIMITS,
    st.data(),
)
def test_the_two_directions_of_devices_in_several_cells_do_not_disturb_each_other(
    homes, capacities, limit, data
):
    """A device's uplink and downlink, 2 i and 2 i + 1, are parts of the two directions of its cell."""
    links = [FluidLink(f"{cell}/{way}", constant(limit)) for cell in homes for way in ("up", "down")]
    bits = st.integers(0, 500).map(lambda payload: 8 * payload)
    message = st.tuples(st.integers(0, 10**6), st.integers(0, len(links) - 1), bits)
    messages = sorted(data.draw(st.lists(message, min_size=1, max_size=16)))
    everything = check_country(capacities, links, messages, latency_ms=0.5)
    for half in HALVES:
        own = [message for message in messages if links[message[1]].cell == half]
        alone = Country(capacities, links, latency_ms=0.5).send(own)
        for number, link in enumerate(links):
            if link.cell == half:
                assert alone.times[number] == everything.times[number]


# What holds of every fair cell, without the reference.


@st.composite
def towns(draw):
    """Draw a single cell without outages, and messages on its links."""
    limits = draw(st.lists(LIMITS, min_size=1, max_size=6))
    message = st.tuples(
        st.integers(0, 10**9), st.integers(0, len(limits) - 1), st.integers(1, 3000).map(lambda n: 8 * n)
    )
    return draw(CAPACITIES), limits, sorted(draw(st.lists(message, min_size=1, max_size=25)))


@given(towns())
def test_a_cell_works_whenever_there_is_work(town):
    """Where no link has a limit, busy periods end as if one server took all messages in turn, whatever their order."""
    capacity, limits, messages = town
    links = [FluidLink("town") for _ in limits]
    country = Country({"town": constant(capacity)}, links).send(messages)
    sent = sorted(transfer.sent_at for arrived in country.arrived for transfer in arrived)
    free_at = Fraction(0)
    for number, (time, _, bits) in enumerate(messages):
        free_at = max(free_at, Fraction(time)) + Fraction(bits * SECOND, capacity)
        if number + 1 == len(messages) or messages[number + 1][0] >= free_at:  # the end of a busy period
            assert is_told(sent[number], free_at)


@given(towns())
def test_every_link_gets_at_least_an_equal_part_and_at_most_what_it_can_carry(town):
    """No message ends later than on a link of its own with an equal part, or earlier than with the whole capacity."""
    capacity, limits, messages = town
    links = [FluidLink("town", constant(limit)) for limit in limits]
    country = Country({"town": constant(capacity)}, links).send(messages)
    for number, limit in enumerate(limits):
        own = [(time, bits) for time, link, bits in messages if link == number]
        most = capacity if limit is None else min(limit, capacity)
        least = min(Fraction(most), Fraction(capacity, len(limits)))
        early = late = Fraction(0)
        for (time, bits), transfer in zip(own, country.arrived[number], strict=True):
            early = max(early, Fraction(time)) + bits * SECOND / Fraction(most)
            late = max(late, Fraction(time)) + bits * SECOND / least
            assert math.ceil(early - GRACE) <= transfer.sent_at <= math.ceil(late)
