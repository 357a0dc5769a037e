import pytest

from scenarios.fleet import Group, Queue
from scenarios.life import DeviceClock, Life, Spread
from tests.scenarios.mistaken import errors, told_below

PRECISE = "must increase, but 86400.25 is followed by 86400.125"
GROUP = {
    "stream": {"rate_hz": 1.0},
    "compute": {"gflops": 1.0},
    "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
}


def test_a_group_without_a_word_of_it_is_always_there_and_keeps_time():
    group = Group.model_validate(GROUP)
    assert group.life is None
    assert group.clock == DeviceClock(drift_ppm=0.0)
    assert group.queue == Queue(capacity=4, overflow="drop_oldest", skip_after_s=None)


def test_a_moment_is_a_number_or_a_spread():
    life = Life.model_validate({"joins_s": 2, "leaves_s": {"from_s": 3, "to_s": 4.5}})
    assert life.joins_s == Spread(from_s=2.0, to_s=2.0)
    assert life.leaves_s == Spread(from_s=3.0, to_s=4.5)
    assert Life.model_validate(life.model_dump(mode="json")) == life


@pytest.mark.parametrize(
    ("life", "place", "message"),
    [
        ({"joins_s": "late"}, "joins_s", "must be a number of seconds or {from_s: SECONDS, to_s: SECONDS}"),
        ({"joins_s": 5, "leaves_s": 5}, "leaves_s", "must be later than joins_s, 5"),
        (
            {"joins_s": {"from_s": 1, "to_s": 9}, "leaves_s": {"from_s": 8, "to_s": 10}},
            "leaves_s",
            "must be later than joins_s, 9",
        ),
        ({"leaves_s": 0}, "leaves_s", "must be later than joins_s, 0"),
        ({"mean_present_s": 9}, "mean_present_s", "give both mean_present_s and mean_absent_s, or neither"),
        ({"mean_absent_s": 9}, "mean_present_s", "give both mean_present_s and mean_absent_s, or neither"),
        ({"crashes_s": [2, 2], "restart_s": 1}, "crashes_s", "must increase, but 2 is followed by 2"),
        ({"crashes_s": [2]}, "restart_s", "crashes need restart_s or mean_down_s; give one of them"),
        (
            {"mean_up_s": 2, "restart_s": 1, "mean_down_s": 1},
            "restart_s",
            "crashes need restart_s or mean_down_s, not both",
        ),
        ({"crashes_s": [86400.25, 86400.125], "restart_s": 1}, "crashes_s", PRECISE),
        (
            {"state": "lost"},
            "state",
            "no crashes to lose it in; give crashes_s or mean_up_s, or leave it out",
        ),
        ({"restart_s": 2}, "restart_s", "no crashes to come back from; give crashes_s or mean_up_s"),
    ],
)
def test_lives_that_make_no_sense(life, place, message):
    assert errors(Life, life) == [((place,), message)]


def test_a_spread_does_not_end_before_it_begins():
    assert errors(Spread, {"from_s": 3, "to_s": 2}) == [(("to_s",), "must not be before from_s, 3")]


def test_a_clock_that_paces_nothing_is_a_mistake():
    group = GROUP | {"stream": {"rate_hz": 1.0, "arrival": "poisson"}, "clock": {"drift_ppm": 20}}
    assert errors(Group, group) == [
        (("clock",), "a clock paces periodic batches alone; the stream's are poisson")
    ]


UNIT = "a plain number is needed; the unit is in the field's name"
FIELDS = ", ".join(Life.model_fields)
SPREADING = "must be a number of seconds or {from_s: SECONDS, to_s: SECONDS}"


@pytest.mark.parametrize(
    ("life", "message"),
    [
        ("{joins_s: late}", f"joins_s: late: {SPREADING}"),
        ("{joins_s: true}", f"joins_s: true: {SPREADING}"),
        ("{joins_s: [1, 2]}", f"joins_s: {SPREADING}"),
        ("{joins_s: }", f"joins_s: null (nothing is given): {SPREADING}"),
        ("{joins_s: -1}", "joins_s: -1: must be at least 0"),
        ("{leaves_s: .inf}", "leaves_s: .inf: must be a finite number"),
        ("{joins_s: {from_s: 3}}", "joins_s.to_s: missing (The latest)"),
        ("{joins_s: {from_s: 3, to_s: 2}}", "joins_s.to_s: 2: must not be before from_s, 3"),
        ("{mean_absent_s: 3, mean_present_s: 1e-5}", "mean_present_s: 1.0e-05: must be at least 0.001"),
        ("{mean_absent_s: 1e-5, mean_present_s: 3}", "mean_absent_s: 1.0e-05: must be at least 0.001"),
        ("{mean_up_s: 1e-5, restart_s: 1}", "mean_up_s: 1.0e-05: must be at least 0.001"),
        ("{crashes_s: 5, restart_s: 1}", "crashes_s: 5: must be a list"),
        ("{crashes_s: [1:30], restart_s: 1}", f"crashes_s.0: 1:30: {UNIT}"),
        ("{mean_up_s: .inf, restart_s: 1}", "mean_up_s: .inf: must be a finite number"),
        ("{restart_s: 1}", "restart_s: 1: no crashes to come back from; give crashes_s or mean_up_s"),
        ("{state: gone}", "state: gone: must be one of: kept, lost"),
        ("{leave_s: 5}", f"leave_s: unknown field 'leave_s'; did you mean 'leaves_s'? allowed: {FIELDS}"),
    ],
)
def test_what_is_told_of_a_life_in_a_file(tmp_path, life, message):
    assert told_below(tmp_path, "  lte:", f"life: {life}") == [f"groups.lte.life.{message}"]


def test_no_moment_is_beyond_what_a_run_can_last():
    assert errors(Life, {"joins_s": 1e303}) == [(("joins_s",), "must be at most 1000000000")]
    assert [where for where, _ in errors(Life, {"mean_up_s": 1e303, "restart_s": 1})] == [("mean_up_s",)]
