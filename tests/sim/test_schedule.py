from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.tables import shift_schedule
from analysis.units import shift_name, shift_text
from scenarios.fleet import Group
from sim.clock import SECOND, nanoseconds
from sim.schedule import Schedule
from sim.streams import RandomStreams

FOG, NOISE, SNOW = (
    {"corruption": name, "severity": 2, "duration_s": 1.0} for name in ("fog", "gaussian_noise", "snow")
)


def group(**settings) -> Group:
    return Group.model_validate(
        {
            "stream": {"rate_hz": 1.0},
            "compute": {"gflops": 1.0},
            "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
        }
        | settings
    )


def states(times, device="camera-0", seed=0, **settings):
    """Corruption and severity at times in seconds."""
    schedule = Schedule(device, group(**settings), RandomStreams(seed))
    found = [schedule.at(round(time * SECOND)) for time in times]
    return [(shift.corruption, shift.severity) for shift in found]


def shifts(times, **settings) -> list[str]:
    return [corruption for corruption, _ in states(times, **settings)]


def severities(times, **settings) -> list[int]:
    return [severity for _, severity in states(times, **settings)]


ALMOST = 1e-9


def test_a_shift_holds_up_to_its_end_and_the_last_for_good():
    times = [0, 1 - ALMOST, 1, 2 - ALMOST, 2, 1000]
    seen = shifts(times, schedule=[FOG, NOISE, {}])
    assert seen == ["fog", "fog", "gaussian_noise", "gaussian_noise", "none", "none"]


def test_the_last_shift_outlasts_its_duration_unless_the_schedule_repeats():
    times = [0, 1, 2, 3, 4 - ALMOST, 101]
    once = shifts(times, schedule=[FOG, NOISE])
    again = shifts(times, schedule=[FOG, NOISE], repeat_schedule=True)
    assert once == ["fog"] + ["gaussian_noise"] * 5
    assert again == ["fog", "gaussian_noise", "fog", "gaussian_noise", "gaussian_noise", "gaussian_noise"]


def test_a_long_gap_passes_over_whole_shifts():
    assert shifts([0, 5], schedule=[FOG, NOISE, FOG, NOISE, {}]) == ["fog", "none"]


def test_rounds_end_with_the_last_shift_or_clean():
    times = [0, 1, 2, 3, 4, 9]
    rounds = {"schedule": [FOG, SNOW], "rounds": 2}
    assert shifts(times, **rounds) == ["fog", "snow", "fog", "snow", "snow", "snow"]
    assert shifts(times, **rounds, afterwards="clean") == ["fog", "snow", "fog", "snow", "none", "none"]
    assert shifts(times, schedule=[FOG, SNOW], afterwards="clean") == ["fog", "snow", *["none"] * 4]


def test_many_rounds_cost_nothing_ahead():
    assert shifts([0, 5], schedule=[FOG, SNOW], rounds=10**12) == ["fog", "snow"]


def test_a_ramp_goes_up_and_down_in_equal_steps():
    up = {"corruption": "fog", "severity": 0, "severity_to": 5, "duration_s": 6.0}
    down = {"corruption": "fog", "severity": 4, "severity_to": 0, "duration_s": 5.0}
    assert severities(range(12), schedule=[up, down]) == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 0]
    assert shifts([0, 1, 10, 99], schedule=[up, down]) == ["none", "fog", "none", "none"]
    assert severities([1 - ALMOST, 1, 2 - ALMOST, 2], schedule=[up]) == [0, 1, 1, 2]


def test_the_severity_that_a_last_ramp_reaches_holds():
    ramp = {"corruption": "fog", "severity": 2, "severity_to": 4, "duration_s": 3.0}
    assert states([0, 2, 3, 99], schedule=[ramp]) == [("fog", 2), ("fog", 4), ("fog", 4), ("fog", 4)]
    assert severities([0, 1, 2, 3, 4], schedule=[ramp], repeat_schedule=True) == [2, 3, 4, 2, 3]


@given(first=st.integers(0, 5), last=st.integers(0, 5), duration_s=st.floats(1e-6, 1e4))
def test_a_ramp_takes_every_severity_between_its_ends_for_the_same_time(first, last, duration_s):
    assume(first or last)
    ramp = {"corruption": "fog", "severity": first, "severity_to": last, "duration_s": duration_s}
    schedule = Schedule("camera-0", group(schedule=[ramp, {}]), RandomStreams(0))
    length, steps = nanoseconds(duration_s), abs(last - first) + 1
    edges = [length * step / steps for step in range(steps)]
    found = [schedule.at(int(edge) + 1).severity for edge in edges]
    assert found == (list(range(first, last + 1)) if last >= first else list(range(first, last - 1, -1)))
    assert schedule.at(length - 1).severity == last
    assert schedule.at(length).corruption == "none"


THREE = {"schedule": [FOG, NOISE, SNOW]}


def test_shuffled_shifts_have_an_order_for_each_device_kept_in_every_round():
    settings = THREE | {"schedule_order": "shuffled", "repeat_schedule": True}
    orders = [shifts(range(6), device=f"camera-{number}", **settings) for number in range(12)]
    assert all(sorted(order[:3]) == ["fog", "gaussian_noise", "snow"] for order in orders)
    assert all(order[:3] == order[3:] for order in orders)
    assert len({tuple(order) for order in orders}) > 3
    assert shifts(range(3), seed=1, **settings) != shifts(range(3), seed=4, **settings)


def test_an_open_shift_stays_last_when_others_are_shuffled():
    settings = {"schedule": [FOG, NOISE, SNOW, {}], "schedule_order": "shuffled"}
    orders = [shifts(range(5), device=f"camera-{number}", **settings) for number in range(12)]
    assert {tuple(order[3:]) for order in orders} == {("none", "none")}
    assert len({tuple(order[:3]) for order in orders}) > 3


def test_staggered_devices_begin_at_equal_parts_of_a_round():
    settings = THREE | {"schedule_start": "staggered", "count": 3}
    seen = [shifts(range(5), device=f"camera-{number}", **settings) for number in range(3)]
    assert seen == [
        ["fog", "gaussian_noise", "snow", "snow", "snow"],
        ["gaussian_noise", "snow", "fog", "fog", "fog"],
        ["snow", "fog", "gaussian_noise", "gaussian_noise", "gaussian_noise"],
    ]


def test_a_device_that_begins_inside_a_shift_ends_its_round_there():
    settings = {"schedule": [FOG | {"duration_s": 2.0}, SNOW], "schedule_start": "staggered", "count": 2}
    times = [0, 0.5 - ALMOST, 0.5, 1.5 - ALMOST, 1.5, 3 - ALMOST, 3]
    seen = shifts(times, device="camera-1", afterwards="clean", **settings)
    assert seen == ["fog", "fog", "snow", "snow", "fog", "fog", "none"]


def test_random_beginnings_are_the_devices_own():
    settings = THREE | {"schedule_start": "random", "repeat_schedule": True}
    times = [number / 50 for number in range(150)]
    seen = [tuple(shifts(times, device=f"camera-{number}", **settings)) for number in range(6)]
    assert len(set(seen)) == 6
    more = settings | {"count": 9}
    assert shifts(times, device="camera-1", **more) == list(seen[1])


@st.composite
def rounds_of(draw):
    """Settings of a group whose shifts all end."""
    lengths = st.floats(0.001, 10)
    names = st.sampled_from(["fog", "snow", "frost"])
    plain = st.builds(
        lambda c, s, d: {"corruption": c, "severity": s, "duration_s": d}, names, st.integers(1, 5), lengths
    )
    ramp = st.builds(
        lambda c, s, e, d: {"corruption": c, "severity": s, "severity_to": e, "duration_s": d},
        names,
        st.integers(1, 5),
        st.integers(0, 5),
        lengths,
    )
    mixed = st.builds(lambda d: {"mix": [{}, {"corruption": "fog", "severity": 1}], "duration_s": d}, lengths)
    settings = {"schedule": draw(st.lists(plain | ramp | mixed, min_size=1, max_size=4))}
    if draw(st.booleans()):
        return settings | {"repeat_schedule": True}
    return settings | {
        "rounds": draw(st.none() | st.integers(1, 3)),
        "afterwards": draw(st.sampled_from(["clean", "last_shift"])),
    }


STARTS = st.sampled_from(["staggered", "random"])


@given(settings=rounds_of(), count=st.integers(1, 7), place=st.integers(0, 6), start=STARTS)
def test_to_begin_inside_a_round_is_to_look_at_it_later(settings, count, place, start):
    endless = {"schedule": settings["schedule"], "repeat_schedule": True}
    device = f"camera-{min(place, count - 1)}"
    whole = sum(nanoseconds(shift["duration_s"]) for shift in settings["schedule"])
    begin = whole * min(place, count - 1) // count
    if start == "random":
        begin = int(RandomStreams(0).generator(f"{device}/start").integers(whole))
    turned = Schedule(device, group(**endless, count=count, schedule_start=start), RandomStreams(0))
    plain = Schedule(device, group(**endless), RandomStreams(0))
    for time in range(0, 2 * whole, max(1, whole // 17)):
        assert turned.at(time) == plain.at(time + begin)


@given(settings=rounds_of(), open_end=st.booleans(), duration_s=st.floats(0.1, 100))
def test_figures_lay_out_what_devices_see(settings, open_end, duration_s):
    if open_end:
        settings = {"schedule": [*settings["schedule"], {"corruption": "contrast", "severity": 5}]}
    described = group(**settings)
    schedule = Schedule("camera-0", described, RandomStreams(0))
    scenario = {"duration_s": duration_s, "groups": {"camera": described.model_dump(mode="json")}}
    rows = shift_schedule(scenario).to_dict("records")
    assert [rows[0]["start_s"], rows[-1]["end_s"]] == [0, duration_s]
    assert all(before["end_s"] == after["start_s"] for before, after in pairwise(rows))
    for row in rows:
        for time in (row["start_s"] + 1e-6, (row["start_s"] + row["end_s"]) / 2, row["end_s"] - 1e-6):
            if row["start_s"] < time < row["end_s"]:
                shift = schedule.at(nanoseconds(time))
                assert (shift.corruption, shift.severity) == (row["corruption"], row["severity"])


@pytest.mark.parametrize(
    ("settings", "corruption"),
    [
        ({"schedule_order": "shuffled"}, "by_device"),
        ({"schedule_start": "random"}, "by_device"),
        ({"schedule_start": "staggered", "count": 2}, "by_device"),
        ({"schedule_start": "staggered", "count": 1}, "fog"),
    ],
)
def test_figures_do_not_lay_out_what_devices_meet_at_different_times(settings, corruption):
    described = group(schedule=[FOG], **settings).model_dump(mode="json")
    (row,) = shift_schedule({"duration_s": 9, "groups": {"camera": described}}).to_dict("records")
    assert (row["start_s"], row["end_s"], row["corruption"]) == (0, 9, corruption)


def test_figures_name_what_has_no_severity():
    assert [shift_text(name, 0) for name in ("none", "mixed", "by_device")] == ["clean", "mixed", "by device"]
    assert [shift_name(name, 0) for name in ("none", "mixed")] == ["none", "mixed"]
