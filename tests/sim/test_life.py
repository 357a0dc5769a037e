from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.life import Life
from sim.clock import SECOND, Clock, nanoseconds
from sim.life import Absence, Presence, absences, history, live
from sim.streams import RandomStreams

HOUR = 3600 * SECOND


def found(life, until=100 * SECOND, seed=0, device="camera-0"):
    generator = RandomStreams(seed).generator
    return list(history(Life.model_validate(life), lambda: generator(f"{device}/life"), until))


def in_seconds(life, **others):
    return [
        (a.begin / SECOND, None if a.end is None else a.end / SECOND, a.crashed)
        for a in found(life, **others)
    ]


def test_a_device_joins_late_and_leaves_for_good():
    assert in_seconds({"joins_s": 2.5, "leaves_s": 8}) == [(0, 2.5, False), (8, None, False)]


def test_a_device_that_is_there_from_the_start_to_the_end_is_never_away():
    assert in_seconds({}) == []


def test_listed_crashes_last_until_the_restart():
    assert in_seconds({"crashes_s": [3, 7.5], "restart_s": 2}) == [(3, 5, True), (7.5, 9.5, True)]


def test_a_device_that_is_away_does_not_crash():
    """The crash at 1 comes before it joins, that at 5 while it restarts, that at 6 when it is just back."""
    life = {"joins_s": 2, "crashes_s": [1, 4, 5, 6, 9], "restart_s": 2, "leaves_s": 20}
    assert in_seconds(life) == [(0, 2, False), (4, 6, True), (9, 11, True), (20, None, False)]


def test_a_device_that_is_down_when_it_should_leave_does_not_come_back():
    assert in_seconds({"crashes_s": [4, 30], "restart_s": 2, "leaves_s": 5}) == [(4, None, True)]


def test_of_a_crash_and_a_departure_at_one_moment_the_crash_counts():
    assert in_seconds({"crashes_s": [4], "restart_s": 2, "leaves_s": 4}) == [(4, None, True)]


def test_the_end_of_the_run_is_the_end_of_the_account():
    life = {"crashes_s": [3, 7, 9], "restart_s": 1}
    assert in_seconds(life, until=8 * SECOND) == [(3, 4, True), (7, None, True)]
    assert in_seconds(life, until=7 * SECOND) == [(3, 4, True)]


def test_each_device_draws_its_moments_within_the_spread():
    life = {"joins_s": {"from_s": 10, "to_s": 30}, "leaves_s": {"from_s": 60, "to_s": 80}}
    drawn = [found(life, device=f"camera-{number}") for number in range(200)]
    joined, left = (
        [late.end / SECOND for late, _ in drawn],
        [departure.begin / SECOND for _, departure in drawn],
    )
    assert len(set(joined)) == len(set(left)) == 200
    for moments, earliest, latest in ((joined, 10, 30), (left, 60, 80)):
        assert earliest <= min(moments) < earliest + 1
        assert latest - 1 < max(moments) <= latest


def mean_within(values, mean):
    """Whether exponential values have this mean, within four standard errors."""
    return abs(np.mean(values) / mean - 1) < 4 / np.sqrt(len(values))


def test_stays_and_absences_are_exponential():
    away = found({"mean_present_s": 30, "mean_absent_s": 10}, until=40 * 2000 * SECOND)[:-1]
    assert len(away) > 1800
    assert mean_within([(a.end - a.begin) / SECOND for a in away], 10)
    assert mean_within([(b.begin - a.end) / SECOND for a, b in pairwise(away)], 30)


def test_times_from_coming_up_to_a_crash_are_exponential():
    """Whatever ended the absence before: for half of them it is no crash."""
    life = {"mean_present_s": 40, "mean_absent_s": 10, "mean_up_s": 40, "mean_down_s": 10}
    away = found(life, until=2000 * 30 * SECOND)
    up = [(b.begin - a.end) / SECOND for a, b in pairwise(away)]
    assert len(up) > 1500
    assert mean_within(up, 20)  # whichever of the two comes first
    crashes = sum(a.crashed for a in away)
    assert abs(crashes / len(away) - 0.5) < 4 * 0.5 / np.sqrt(len(away))


def test_settings_do_not_disturb_each_others_draws():
    churn = {"mean_present_s": 30, "mean_absent_s": 10}
    alone = found(churn, until=HOUR)
    crashing = found(churn | {"mean_up_s": 1000, "restart_s": 0.001}, until=HOUR)
    assert len(alone) > 50
    assert set(alone) <= set(crashing)
    quick, slow = (
        {a.begin for a in found({"mean_up_s": 100, "restart_s": restart_s}, until=HOUR) if a.crashed}
        for restart_s in (1, 20)
    )
    assert slow < quick


SECONDS = st.floats(1e-3, 50)
LIVES = st.builds(
    lambda joins, stay, churn, crashes, mean_up, down: {
        "joins_s": joins,
        **({} if stay is None else {"leaves_s": joins + stay}),
        **(dict(zip(("mean_present_s", "mean_absent_s"), churn, strict=True)) if churn else {}),
        **({} if mean_up is None else {"mean_up_s": mean_up}),
        "crashes_s": sorted(crashes),
        **({down[0]: down[1]} if crashes or mean_up else {}),
    },
    st.just(0.0) | SECONDS,
    st.none() | SECONDS,
    st.none() | st.tuples(SECONDS, SECONDS),
    st.sets(SECONDS, max_size=4),
    st.none() | SECONDS,
    st.tuples(st.sampled_from(["restart_s", "mean_down_s"]), SECONDS),
)


@given(LIVES, st.integers(0, 99))
def test_absences_are_apart_in_order_and_within_the_run(life, seed):
    until = 100 * SECOND
    away = found(life, until, seed)
    assert all(a.begin < until for a in away)
    assert all(a.begin < a.end < until for a in away[:-1])
    assert all(a.end is None or a.begin < a.end < until for a in away)
    assert all(a.end < b.begin for a, b in pairwise(away))
    joins = nanoseconds(life["joins_s"])
    assert (away[:1] and away[0].begin == 0) or not joins
    if "leaves_s" in life and nanoseconds(life["leaves_s"]) < until:
        assert away[-1].end is None
        assert away[-1].begin <= nanoseconds(life["leaves_s"])
    listed = [nanoseconds(crash) for crash in life["crashes_s"] if nanoseconds(crash) < until]
    assert all(any(a.begin <= crash and (a.end is None or crash <= a.end) for a in away) for crash in listed)


@given(LIVES, st.integers(0, 99))
def test_the_link_finds_the_moments_that_the_device_finds(life, seed):
    described, generator = Life.model_validate(life), RandomStreams(seed).generator
    own = lambda: generator("camera-0/life")  # noqa: E731
    assert list(absences(described, own, HOUR // 36)) == [
        (a.begin, a.end) for a in found(life, HOUR // 36, seed)
    ]


def test_history_is_drawn_as_it_is_read():
    endless = Life.model_validate({"mean_present_s": 1e-3, "mean_absent_s": 1e-3})
    assert len(list(islice(history(endless, lambda: np.random.default_rng(0), 10**6 * HOUR), 5))) == 5


class Diary:
    def __init__(self, clock):
        self.clock = clock
        self.entries = []

    def note(self, what):
        self.entries.append((self.clock.time, what))

    def leave(self):
        self.note("leave")

    def crash(self):
        self.note("crash")

    def come_back(self):
        self.note("come back")


def test_a_device_is_told_of_its_absences_before_all_else_that_happens_then():
    clock = Clock()
    diary = Diary(clock)
    for time in (0, 3, 5, 9):
        clock.call_at(time, lambda: diary.note("else"))
    clock.process(live(clock, [Absence(0, 3, False), Absence(5, 6, True), Absence(9, None, False)], diary))
    clock.run()
    assert diary.entries == [
        (0, "leave"),
        (0, "else"),
        (3, "come back"),
        (3, "else"),
        (5, "crash"),
        (5, "else"),
        (6, "come back"),
        (9, "leave"),
        (9, "else"),
    ]


def test_presence_leaves_out_absences():
    presence = Presence()
    assert presence.present(10) == 10
    presence.leave(10)
    assert presence.present(25) == 10
    presence.come_back(30)
    assert presence.present(34) == 14


@pytest.mark.parametrize(("now", "present"), [(12, 12), (20, 20), (27, 20)])
def test_a_stay_lasts_until_the_last_batch_is_done(now, present):
    presence = Presence()
    presence.leave(20)  # told at 10, when a batch is in progress that ends at 20
    assert presence.present(now) == present


def test_a_device_that_is_back_before_its_batch_is_done_was_never_away():
    presence = Presence()
    presence.leave(20)
    presence.come_back(15)
    assert presence.present(30) == 30
