from itertools import islice, pairwise

import numpy as np
import pytest

from scenarios.network import Outages as Settings
from scenarios.network import Retry
from sim.clock import SECOND
from sim.outages import Outage, Outages, Watch, next_attempt, planned, random, union


def outages(*intervals):
    return Outages(Outage(*interval) for interval in intervals)


def test_planned_outages_are_in_nanoseconds():
    settings = Settings(scheduled_s=((1.0, 2.5), (4.0, 5.0)))
    assert list(planned(settings)) == [(SECOND, 5 * SECOND // 2), (4 * SECOND, 5 * SECOND)]


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


def attempt(*intervals, failed_at_s=0, attempts=1, **retry):
    settings = Retry.model_validate({"first_backoff_s": 1.0, "longest_backoff_s": 4.0} | retry)
    watch = Watch(outages(*((a * SECOND, b if b is None else b * SECOND) for a, b in intervals)))
    time, made, goes_on = next_attempt(failed_at_s * SECOND, attempts, settings, watch, 1000 * SECOND)
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
