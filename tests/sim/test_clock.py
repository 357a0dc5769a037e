from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.clock import SECOND, Clock, Moment, computing_time, nanoseconds, seconds


def test_seconds_become_whole_nanoseconds():
    assert [nanoseconds(s) for s in (0, 1, 0.1, 1e-9, 0.4e-9, 0.6e-9)] == [0, SECOND, 100_000_000, 1, 0, 1]


@given(st.integers(0, 10**15))
def test_seconds_and_back_is_exact(time):
    assert nanoseconds(seconds(time)) == time


@pytest.mark.parametrize(
    ("flops", "gflops", "overhead_ms", "expected"),
    [
        (1000, 1.0, 0.0, 1000),
        (1001, 1000.0, 0.0, 2),  # rounded up
        (0, 1.0, 0.0, 0),
        (10**9, math.inf, 0.0, 0),
        (10**9, math.inf, 2.5, 2_500_000),
        (3, 2.0, 1.0, 1_000_002),
    ],
)
def test_computing_time(flops, gflops, overhead_ms, expected):
    assert computing_time(flops, gflops, overhead_ms) == expected


def test_time_begins_at_zero():
    assert Clock().time == 0


def test_calls_happen_at_their_time_and_in_order_of_request_where_it_is_equal():
    clock, seen = Clock(), []
    for time, name in ((5, "c"), (2, "a"), (5, "d"), (4, "b")):
        clock.call_at(time, lambda name=name: seen.append((clock.time, name)))
    clock.run()
    assert seen == [(2, "a"), (4, "b"), (5, "c"), (5, "d")]


def test_a_call_now_happens():
    clock, seen = Clock(), []
    clock.call_at(3, lambda: clock.call_at(3, lambda: seen.append(clock.time)))
    clock.run()
    assert seen == [3]


def test_a_call_in_the_past_is_refused():
    clock = Clock()
    clock.run(until=5)
    with pytest.raises(ValueError, match="-1"):
        clock.call_at(4, lambda: None)


def test_an_error_in_a_call_reaches_the_runner():
    clock = Clock()
    clock.call_at(1, lambda: 1 // (clock.time - 1))
    with pytest.raises(ZeroDivisionError):
        clock.run()


def test_time_is_that_of_simpy_within_every_event():
    clock, seen = Clock(), []
    for time in (3, 8):
        clock.call_at(time, lambda: seen.append((clock.time, clock.now)))
    clock.run(until=10)
    assert [*seen, (clock.time, clock.now)] == [(3, 3), (8, 8), (10, 10)]


def test_moments_and_timeouts_of_one_time_happen_in_order_of_request():
    clock, seen = Clock(), []

    def wait(name):
        yield clock.timeout(5)
        seen.append(name)

    clock.process(wait("process"))
    clock.call_at(0, lambda: clock.schedule_at(Moment((lambda _: seen.append("moment"),)), 5))
    clock.timeout(5).callbacks.append(lambda _: seen.append("timeout"))
    clock.run()
    assert seen == ["timeout", "process", "moment"]


def test_a_moment_is_an_event_that_has_been_triggered():
    clock, seen = Clock(), []
    moment = Moment((seen.append,))
    clock.schedule_at(moment, 4)
    assert (moment.triggered, moment.processed) == (True, False)
    clock.run()
    assert seen == [moment]
    assert moment.processed


def test_what_is_settled_comes_after_all_that_happens_now():
    clock, seen = Clock(), []

    def wait():
        yield clock.settled()
        seen.append("settled")

    clock.process(wait())
    clock.call_at(0, lambda: clock.call_at(0, lambda: seen.append("followed")))
    clock.run()
    assert seen == ["followed", "settled"]
