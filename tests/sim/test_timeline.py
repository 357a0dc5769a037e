from __future__ import annotations

import math
from fractions import Fraction
from itertools import count, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim.clock import SECOND
from sim.timeline import LEAST_FORGOTTEN, Timeline, capped, interrupted

BIT_A_NANOSECOND = SECOND

RATES = st.sampled_from([0, 1, 3, 7, SECOND // 3, SECOND, 7 * SECOND + 1])
DURATIONS = st.integers(1, 40)


@st.composite
def processes(draw):
    """Return a process with an end."""
    pieces, start = [], 0
    for rate in draw(st.lists(RATES, min_size=1, max_size=8)):
        pieces.append((start, rate))
        start += draw(DURATIONS)
    return pieces


@st.composite
def outages(draw):
    """Return disjoint outages, some of which touch, the last perhaps for good."""
    found, time = [], 0
    for _ in range(draw(st.integers(0, 4))):
        down = time + draw(st.integers(0, 30))
        time = down + draw(DURATIONS)
        found.append((down, time))
    if found and draw(st.booleans()):
        found[-1] = (found[-1][0], None)
    return found


def rate(pieces, time):
    return [bits for start, bits in pieces if start <= time][-1]


def end_of(pieces, start, bits):
    """Let bits pass piece by piece in fractions of a nanosecond; the end is rounded up."""
    left, time = Fraction(bits), Fraction(start)
    ends = [start for start, _ in pieces[1:]] + [math.inf]
    for (_, per_second), end in zip(pieces, ends, strict=True):
        if end <= time:
            continue
        if left == 0:
            break
        needed = left * SECOND / per_second if per_second else math.inf
        if time + needed <= end:
            return None if needed == math.inf else math.ceil(time + needed)
        left -= (end - time) * per_second / SECOND
        time = Fraction(end)
    return math.ceil(time)


def finish(timeline, start, bits):
    """Return when bits that begin at `start` are through."""
    return timeline.time_of(timeline.work_until(start) + bits * SECOND)


def test_a_message_goes_on_through_changes_and_gaps():
    pieces = [(0, BIT_A_NANOSECOND), (10, 0), (30, 2 * BIT_A_NANOSECOND), (40, BIT_A_NANOSECOND)]
    assert finish(Timeline(pieces), 0, 10) == 10
    assert finish(Timeline(pieces), 0, 11) == 31  # half a nanosecond, rounded up
    assert finish(Timeline(pieces), 5, 5) == 10
    assert finish(Timeline(pieces), 5, 25) == 40
    assert finish(Timeline(pieces), 20, 30) == 50


def test_work_is_exact():
    timeline = Timeline([(0, 3), (10, 0), (30, 7)])
    assert [timeline.work_until(time) for time in (0, 1, 10, 20, 30, 31)] == [0, 3, 30, 30, 30, 37]


def test_nothing_to_do_is_done_at_once_even_while_nothing_passes():
    pieces = [(0, 5), (10, 0), (30, 7)]
    assert finish(Timeline(pieces), 20, 0) == 20
    assert finish(Timeline(pieces), 30, 0) == 30


def test_what_can_never_pass_has_no_end():
    pieces = [(0, BIT_A_NANOSECOND), (10, 0)]
    assert finish(Timeline(pieces), 0, 10) == 10
    assert finish(Timeline(pieces), 0, 11) is None
    assert finish(Timeline(pieces), 50, 1) is None
    assert finish(Timeline([(0, 0)]), 0, 1) is None


def test_messages_back_to_back_do_not_add_up_their_rounding():
    third = Timeline([(0, 3)])  # a bit takes a third of a second
    start = third.work_until(0)
    ends = [third.time_of(start + bits * SECOND) for bits in (1, 2, 3, 4, 300)]
    assert ends == [333_333_334, 666_666_667, SECOND, 1_333_333_334, 100 * SECOND]


def test_the_work_of_a_busy_period_can_be_asked_for_from_any_time_inside_it():
    timeline = Timeline([(0, BIT_A_NANOSECOND), (100, 2 * BIT_A_NANOSECOND)])
    start = timeline.work_until(20)
    assert timeline.work_until(150) == 200 * SECOND
    assert timeline.time_of(start + 200 * SECOND) == 160  # 80 until 100, and 120 at twice the rate
    assert timeline.time_of(start + 30 * SECOND) == 150  # was done at 50: not before the last time asked for


def test_time_goes_on():
    timeline = Timeline([(0, 1)])
    timeline.work_until(10)
    with pytest.raises(ValueError, match="9 ns is before 10 ns"):
        timeline.work_until(9)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([], "must begin at 0 ns"),
        ([(5, 1)], r"must begin at 0 ns, not at \[5\]"),
        ([(0, 1), (7, 1), (7, 2)], "7 ns is followed by 7 ns"),
        ([(0, -1)], "at least 0, not -1"),
    ],
)
def test_what_is_no_process(pieces, message):
    with pytest.raises(ValueError, match=message):
        Timeline(pieces).work_until(100)


def test_a_process_without_end_is_read_as_far_as_needed_and_forgotten():
    read = []

    def pieces():
        for number in count():
            read.append(number)
            yield 10 * number, BIT_A_NANOSECOND * (1 + number % 2)

    timeline = Timeline(pieces())
    assert timeline.work_until(5) == 5 * SECOND
    assert len(read) == 2
    assert finish(timeline, 5, 15 * 1000 + 5) == 10_005 + 5  # whole pairs of pieces carry 10 + 20
    assert len(read) < 1010
    held = set()
    for time in range(0, 1_000_000, 10):
        timeline.work_until(max(time, 5))
        held.add(len(timeline._starts))
    assert max(held) < 1010
    assert len(timeline._starts) <= LEAST_FORGOTTEN + 2
    assert timeline.work_until(1_000_000) == 15 * 100_000 * SECOND


@given(processes(), st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_work_is_the_sum_of_the_rates(pieces, times):
    timeline = Timeline(iter(pieces))
    for time in sorted(times):
        assert timeline.work_until(time) == sum(rate(pieces, each) for each in range(time))


@given(processes(), st.integers(0, 100), st.integers(0, 300))
@example([(0, 1), (5, 0)], 0, 5)
def test_an_end_is_that_of_the_passing_bits(pieces, start, bits):
    assert finish(Timeline(iter(pieces)), start, bits) == end_of(pieces, start, bits)


@given(processes(), st.integers(0, 60), st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_a_busy_period_ends_like_one_message_of_all_its_bits(pieces, start, messages):
    timeline = Timeline(iter(pieces))
    begun = timeline.work_until(start)
    sent = 0
    for bits in messages:
        sent += bits
        assert timeline.time_of(begun + sent * SECOND) == end_of(pieces, start, sent)


@given(processes(), st.integers(0, 100), st.integers(1, 300))
def test_the_end_is_the_first_nanosecond_with_enough_work(pieces, start, bits):
    end = finish(Timeline(iter(pieces)), start, bits)
    timeline = Timeline(iter(pieces))
    begun = timeline.work_until(start)
    if end is None:
        assert timeline.work_until(10**6) - begun < bits * SECOND
    else:
        assert timeline.work_until(end - 1) - begun < bits * SECOND <= timeline.work_until(end) - begun


def test_a_cap():
    assert list(capped([(0, 5), (10, 0), (30, 7)], 6)) == [(0, 5), (10, 0), (30, 6)]


def test_outages():
    pieces = [(0, 5), (10, 6), (20, 7), (30, 8)]
    assert list(interrupted(pieces, [(3, 5), (12, 25)])) == [
        (0, 5),
        (3, 0),
        (5, 5),
        (10, 6),
        (12, 0),
        (25, 7),
        (30, 8),
    ]
    assert list(interrupted(pieces, [(0, 10)])) == [(0, 0), (10, 6), (20, 7), (30, 8)]
    assert list(interrupted(pieces, [(20, None)])) == [(0, 5), (10, 6), (20, 0)]
    assert list(interrupted(pieces, [])) == pieces


def test_an_outage_is_one_piece_however_many_it_covers():
    endless = ((time, time) for time in count())
    assert list(interrupted(endless, [(1, 1_000), (1_001, None)])) == [
        (0, 0),
        (1, 0),
        (1_000, 1_000),
        (1_001, 0),
    ]


def test_endless_outages_of_an_endless_process():
    timeline = Timeline(
        interrupted(((10 * n, SECOND) for n in count()), ((6 * n + 3, 6 * n + 6) for n in count()))
    )
    assert finish(timeline, 0, 3000) == 5997  # every other three nanoseconds, and the last of them in full


@given(processes(), outages())
def test_interrupted_is_zero_inside_and_the_same_outside(pieces, interruptions):
    changed = list(interrupted(iter(pieces), iter(interruptions)))
    assert changed[0][0] == 0
    assert all(before < after for (before, _), (after, _) in pairwise(changed))
    for time in range(500):
        down = any(start <= time < (math.inf if up is None else up) for start, up in interruptions)
        assert rate(changed, time) == (0 if down else rate(pieces, time))
