from itertools import count, islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.network import Outages as Settings
from scenarios.network import Retry
from sim.clock import SECOND
from sim.outages import Outage, Outages, Watch, next_attempt, planned, random, union
from sim.streams import RandomStreams


def outages(*intervals):
    return Outages(Outage(*interval) for interval in intervals)


def test_planned_outages_are_in_nanoseconds():
    settings = Settings(scheduled_s=((1.0, 2.5), (4.0, 5.0)))
    assert list(planned(settings)) == [(SECOND, 5 * SECOND // 2), (4 * SECOND, 5 * SECOND)]


def test_nothing_scheduled_is_no_outage():
    assert list(planned(Settings(mean_up_s=1.0, mean_down_s=1.0))) == []


def test_an_outage_too_short_for_the_clock_is_none():
    settings = Settings(scheduled_s=((1.0, 1.0 + 2e-10), (2.0, 2.0 + 8e-10)))
    assert list(planned(settings)) == [(2 * SECOND, 2 * SECOND + 1)]


def test_random_outages_are_exponential_times_one_after_another():
    draws = np.random.default_rng(3).exponential(size=4) * [30, 10, 30, 10]
    down, up, down_again, up_again = (round(moment * SECOND) for moment in np.cumsum(draws))
    found = list(islice(random(30.0, 10.0, np.random.default_rng(3)), 2))
    assert np.array(found) == pytest.approx(np.array([(down, up), (down_again, up_again)]), abs=4)


def test_random_outages_last_a_nanosecond_at_least():
    class Zero:
        def exponential(self, mean):
            return 0.0

    assert list(islice(random(1.0, 1.0, Zero()), 3)) == [(1, 2), (3, 4), (5, 6)]


def test_a_name_and_a_seed_decide_on_the_outages():
    def of(seed, name):
        return list(islice(random(30.0, 10.0, RandomStreams(seed).generator(name)), 5))

    assert of(7, "cells/town/outages") == of(7, "cells/town/outages")
    assert of(7, "cells/town/outages") != of(7, "cells/hill/outages")
    assert of(7, "cells/town/outages") != of(8, "cells/town/outages")


def test_random_outages_begin_up_and_have_the_means_asked_for():
    found = list(islice(random(30.0, 10.0, np.random.default_rng(0)), 4000))
    assert found[0].down > 0
    ups = [found[0].down, *(b.down - a.up for a, b in pairwise(found))]
    downs = [outage.up - outage.down for outage in found]
    assert np.mean(ups) / SECOND == pytest.approx(30, abs=4 * 30 / np.sqrt(4000))
    assert np.mean(downs) / SECOND == pytest.approx(10, abs=4 * 10 / np.sqrt(4000))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(1, 3)], [(5, 6)], [(1, 3), (5, 6)]),
        ([(1, 3)], [(2, 6)], [(1, 6)]),
        ([(1, 3)], [(3, 6)], [(1, 6)]),
        ([(1, 9)], [(2, 3), (4, 5)], [(1, 9)]),
        ([(1, None)], [(2, 3), (4, 5)], [(1, None)]),
        ([(1, 3), (8, 9)], [(2, None)], [(1, None)]),
        ([], [(2, 3)], [(2, 3)]),
    ],
)
def test_a_union_is_down_when_any_is(first, second, expected):
    assert list(union(outages(*first), outages(*second))) == expected
    assert list(union(outages(*second), outages(*first))) == expected


def test_a_union_of_nothing_is_nothing():
    assert union() is None


def test_one_alone_is_its_own_union():
    only = outages((1, 3))
    assert union(only) is only


def test_a_union_of_outages_without_end_reads_no_further_than_it_must():
    """Down from 0 to 4, from 10 to 14, and so on; and from 2 to 6, which the other's next one tells to be all."""
    read = []

    def endless(begin):
        for number in count():
            read.append((begin, number))
            yield Outage(10 * number + begin, 10 * number + begin + 4)

    both = iter(union(Outages(endless(0)), Outages(endless(2))))
    assert list(islice(both, 2)) == [(0, 6), (10, 16)]
    assert max(number for _, number in read) <= 3


INTERVALS = st.lists(st.integers(0, 30), max_size=8, unique=True).map(
    lambda ends: list(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


def down_at(time, intervals):
    return any(begin <= time and (end is None or time < end) for begin, end in intervals)


@given(st.lists(st.tuples(INTERVALS, st.booleans()), min_size=1, max_size=4))
def test_a_union_is_down_exactly_when_any_is_and_its_outages_are_apart(several):
    several = [[*own[:-1], (own[-1][0], None)] if own and for_good else own for own, for_good in several]
    found = list(union(*(outages(*own) for own in several)))
    for time in range(32):
        assert down_at(time, found) == any(down_at(time, own) for own in several)
    assert all(a.up is not None and a.up < b.down for a, b in pairwise(found))


def test_many_walk_along_the_same_outages():
    shared = Outages(random(1.0, 1.0, np.random.default_rng(0)))
    assert list(islice(iter(shared), 5)) == list(islice(iter(shared), 5))


def test_a_watch_tells_the_outage_that_is_or_comes():
    watch = Watch(outages((10, 20), (30, None)))
    assert [watch.next(time) for time in (0, 10, 19, 20, 30, 99)] == [
        (10, 20),
        (10, 20),
        (10, 20),
        (30, None),
        (30, None),
        (30, None),
    ]


@given(INTERVALS, st.lists(st.integers(0, 32)).map(sorted))
def test_a_watch_passes_by_what_is_over_however_it_is_asked(intervals, times):
    watch = Watch(outages(*intervals))
    for time in times:
        assert watch.next(time) == next((each for each in intervals if time < each[1]), None)


def test_a_watch_over_nothing():
    assert Watch(outages()).next(5) is None


def attempt(*intervals, failed_at_s=0, attempts=1, until_s=1000, **retry):
    """Return what follows a failure, the time in seconds; unless told otherwise pauses are 1, 2, 4, 4, ... seconds."""
    settings = Retry.model_validate({"first_backoff_s": 1.0, "longest_backoff_s": 4.0} | retry)
    watch = Watch(outages(*((a * SECOND, b if b is None else b * SECOND) for a, b in intervals)))
    time, made, goes_on = next_attempt(failed_at_s * SECOND, attempts, settings, watch, until_s * SECOND)
    return None if time is None else time / SECOND, made, goes_on


def test_attempts_that_find_the_link_down_fail_at_once_and_pauses_grow_to_a_limit():
    """They come after 1, 2, 4, 4 seconds: at 1, 3, 7 and 11."""
    assert attempt((0, 0.5)) == (1, 2, True)
    assert attempt((0, 2)) == (3, 3, True)
    assert attempt((0, 10)) == (11, 5, True)


def test_the_last_attempt_is_the_last():
    assert attempt((0, 10), most_attempts=3) == (3, 3, False)
    assert attempt((0, 2), most_attempts=3) == (3, 3, True)
    assert attempt((0, 10), attempts=3, most_attempts=3) == (0, 3, False)


def test_the_pause_grows_with_the_failures_that_came_before():
    """The third failure is followed by 4 s, with the factor 3 by 9 s, and by 1 s where it does not grow."""
    assert attempt(failed_at_s=10, attempts=3) == (14, 4, True)
    assert attempt(failed_at_s=10, attempts=3, factor=3.0, longest_backoff_s=60.0) == (19, 4, True)
    assert attempt(failed_at_s=10, attempts=3, factor=1.0) == (11, 4, True)


def test_the_pause_is_never_longer_than_the_longest():
    assert attempt(attempts=4) == (4, 5, True)
    assert attempt(attempts=10**6, factor=10.0) == (4, 10**6 + 1, True)


def test_an_attempt_as_an_outage_ends_finds_the_link_up_and_as_it_begins_down():
    assert attempt((0, 1)) == (1, 2, True)
    assert attempt((1, 2)) == (3, 3, True)


def test_between_outages_an_attempt_finds_the_link_up():
    """Attempts at 1 and 3: the second is between the outages."""
    assert attempt((0, 2), (5, 9)) == (3, 3, True)


def test_what_is_down_for_good_is_tried_until_the_end_of_the_run():
    """At 1 s, and then at 3, 7, ..., 19 s, beside the attempt that failed; nor at 19 s, if the run ends then."""
    assert attempt((0, None), until_s=20) == (None, 7, True)
    assert attempt((0, None), until_s=19) == (None, 6, True)
    assert attempt((0, None), until_s=20, most_attempts=7) == (19, 7, False)
    assert attempt((0, None), most_attempts=1) == (0, 1, False)


def test_attempts_that_meet_the_same_outage_are_not_looked_at_one_by_one():
    """A million seconds of it, in which an attempt a millisecond finds the link down."""
    asked = []

    class Spy(Watch):
        def next(self, time):
            asked.append(time)
            return super().next(time)

    up = 10**6 * SECOND
    retry = Retry(first_backoff_s=0.001, factor=1.0, longest_backoff_s=0.001)
    found = next_attempt(0, 1, retry, Spy(outages((0, up))), 2 * up)
    assert (found, len(asked)) == ((up, 10**9 + 1, True), 2)


def one_by_one(failed_at, attempts, pauses, most, intervals, until):
    """Return what `next_attempt` does; `pauses` are those after the first failure, and so on."""
    time = failed_at
    while attempts != most:
        time += pauses(attempts)
        if time >= until:
            return None, attempts, True
        attempts += 1
        if not down_at(time, intervals):
            return time, attempts, True
    return time, attempts, False


@given(
    INTERVALS.map(lambda found: [(a * 10**9, b * 10**9) for a, b in found]),
    st.booleans(),
    st.integers(0, 30 * 10**9),
    st.integers(1, 70),
    st.sampled_from([1.0, 1.01, 2.0, 3.0]),
    st.sampled_from([(0.05, 0.05), (0.3, 0.7), (1.0, 2.0), (0.2, 100.0)]),
    st.none() | st.integers(1, 90),
    st.integers(0, 40 * 10**9),
)
def test_attempts_come_as_one_by_one(intervals, for_good, failed_at, attempts, factor, pauses_s, most, until):
    if intervals and for_good:
        intervals[-1] = (intervals[-1][0], None)
    most = most and max(most, attempts)
    first, longest = pauses_s
    retry = Retry(first_backoff_s=first, factor=factor, longest_backoff_s=longest, most_attempts=most)

    def pauses(failures):
        return round(min(first * factor ** min(failures - 1, 64), longest) * SECOND)

    expected = one_by_one(failed_at, attempts, pauses, most, intervals, until)
    assert next_attempt(failed_at, attempts, retry, Watch(outages(*intervals)), until) == expected
