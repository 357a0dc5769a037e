import math
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from models.codecs.png import Png
from models.update_codecs.fp16 import Fp16
from scenarios import loader
from scenarios.fleet import Group, Queue
from scenarios.network import Link
from scenarios.schema import Scenario
from scenarios.world import Shift
from tests.scenarios.mistaken import errors

MINIMAL = yaml.safe_load((Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8"))
GROUP = MINIMAL["groups"]["lte"]
FOG = {"corruption": "fog", "severity": 3}


def test_defaults_of_the_minimal_scenario():
    scenario = Scenario.model_validate(MINIMAL)
    group = scenario.groups["lte"]
    assert (scenario.seed, scenario.cloud.gflops, scenario.cloud.update_codec) == (0, math.inf, Fp16())
    assert (group.count, group.schedule, group.queue, group.upload_codec) == (1, (Shift(),), Queue(), Png())


def test_a_single_strategy_is_a_list_of_one():
    scenario = Scenario.model_validate(MINIMAL)
    assert [strategy.name for strategy in scenario.strategy] == ["source"]


def test_strategies_of_one_name_need_labels():
    twice = {**MINIMAL, "strategy": ["source", {"name": "source"}]}
    assert errors(Scenario, twice) == [(("strategy",), "two are called 'source'; give each its own `label`")]
    labelled = Scenario.model_validate({**MINIMAL, "strategy": ["source", {"name": "source", "label": "b"}]})
    assert [strategy.label for strategy in labelled.strategy] == [None, "b"]


def test_a_strategy_that_needs_a_foundation_model():
    message = "'cema' needs a foundation model; add `models.foundation`"
    assert errors(Scenario, {**MINIMAL, "strategy": "cema"}) == [(("strategy",), message)]


def test_checks_across_fields_are_made_beside_other_mistakes():
    found = errors(Scenario, {**MINIMAL, "strategy": ["source", "source"], "duration_s": -1})
    assert [location for location, _ in found] == [("duration_s",), ("strategy",)]


def test_only_the_last_shift_may_be_open():
    found = errors(Group, {**GROUP, "schedule": [{}, FOG]})
    assert found == [(("schedule",), "shift 0 needs a duration_s; only the last shift may go without")]
    assert len(Group.model_validate({**GROUP, "schedule": [{"duration_s": 5}, FOG]}).schedule) == 2


def test_a_schedule_that_repeats_has_no_open_shift():
    message = "a schedule that repeats needs a duration_s in its last shift too"
    assert errors(Group, {**GROUP, "repeat_schedule": True}) == [(("repeat_schedule",), message)]
    closed = {**GROUP, "repeat_schedule": True, "schedule": [{**FOG, "duration_s": 5}]}
    assert Group.model_validate(closed).repeat_schedule


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"rounds": 2}, "rounds", "a schedule of several rounds needs a duration_s in its last shift too"),
        ({"rounds": 0}, "rounds", "Input should be greater than or equal to 1"),
        (
            {"afterwards": "clean"},
            "afterwards",
            "must be last_shift unless the last shift too has a duration_s",
        ),
        (
            {"schedule_start": "staggered"},
            "schedule_start",
            "must be together unless the last shift too has a duration_s",
        ),
        ({"schedule_order": "sorted"}, "schedule_order", "Input should be 'listed' or 'shuffled'"),
    ],
)
def test_what_a_schedule_without_end_cannot_do(settings, field, message):
    assert errors(Group, {**GROUP, **settings}) == [((field,), message)]


def test_a_schedule_that_ends_can_do_all_but_end_and_not_end():
    closed = {**GROUP, "schedule": [{**FOG, "duration_s": 5}]}
    for start in ("staggered", "random"):
        more = {"rounds": 2, "afterwards": "clean", "schedule_order": "shuffled", "schedule_start": start}
        assert Group.model_validate({**closed, **more}).rounds == 2
    assert errors(Group, {**closed, "repeat_schedule": True, "rounds": 2, "afterwards": "clean"}) == [
        (("rounds",), "repeat_schedule goes on for ever; give one of the two"),
        (("afterwards",), "must be last_shift where repeat_schedule goes on for ever; give rounds instead"),
    ]


def test_conditions_that_devices_can_meet():
    ramp = {"corruption": "fog", "severity": 3, "severity_to": 1, "duration_s": 5}
    group = Group.model_validate({**GROUP, "schedule": [{**FOG, "duration_s": 5}, ramp]})
    assert group.conditions == (("fog", 3), ("fog", 2), ("fog", 1))
    assert group.model_copy(update={"afterwards": "clean"}).conditions[-1] == ("none", 0)


def resets(value, duration_s=10, **groups):
    """A scenario's data with a value for resets_s and some settings for each group."""
    described = {name: {**GROUP, **settings} for name, settings in groups.items()}
    return {**MINIMAL, "duration_s": duration_s, "groups": described or MINIMAL["groups"], "resets_s": value}


def reset_times(*arguments, **groups):
    return Scenario.model_validate(resets(*arguments, **groups)).resets_s


def test_resets_are_listed_in_seconds():
    assert Scenario.model_validate(MINIMAL).resets_s == ()
    assert reset_times([1, 2.5]) == (1.0, 2.5)


THIRDS = [{"duration_s": 3}, {**FOG, "duration_s": 3}]


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, ()),
        ({"schedule": THIRDS}, (3,)),
        ({"schedule": [*THIRDS, {}]}, (3, 6)),
        ({"schedule": [*THIRDS, *THIRDS]}, (3, 6, 9)),
        ({"schedule": THIRDS, "rounds": 2}, (3, 6, 9)),
        ({"schedule": THIRDS, "rounds": 9}, (3, 6, 9)),
        ({"schedule": THIRDS, "repeat_schedule": True}, (3, 6, 9)),
        ({"schedule": THIRDS, "afterwards": "clean"}, (3, 6)),
        ({"schedule": [{"duration_s": 5}], "repeat_schedule": True}, (5,)),
        ({"schedule": [{"duration_s": 1 / 3}, {"duration_s": 0.7}, {}]}, (0.333333333, 1.033333333)),
    ],
)
def test_resets_at_shifts(settings, times):
    assert reset_times("at_shifts", a=settings) == times


def test_resets_at_shifts_that_all_groups_share():
    same = [{"corruption": "snow", "severity": 1, "duration_s": 3}, {}]
    assert reset_times("at_shifts", a={"schedule": THIRDS}, b={"schedule": same}) == (3,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (resets([3, 3]), "must increase, but 3 is followed by 3"),
        (resets([3, 10]), "must lie before the end of the run at 10 s, unlike 10"),
        (resets(3), "must be a list of times, or at_shifts"),
        (resets("at_shift"), "must be a list of times, or at_shifts"),
        (
            resets("at_shifts", a={"schedule": THIRDS}, b={"schedule": [*THIRDS, {}]}),
            "the shifts of 'a' and 'b' change at different moments; list the times of the resets instead",
        ),
        *(
            (
                resets("at_shifts", a={}, b={"schedule": THIRDS, **own}),
                "the devices of 'b' change at moments of their own; list the times of the resets instead",
            )
            for own in ({"schedule_order": "shuffled"}, {"schedule_start": "random"})
        ),
    ],
)
def test_resets_that_cannot_be(data, message):
    assert errors(Scenario, data) == [(("resets_s",), message)]


def test_a_reset_at_zero_would_be_none():
    assert [location for location, _ in errors(Scenario, resets([0]))] == [("resets_s", 0)]


def test_resets_at_shifts_wait_for_the_schedules_to_be_right():
    found = errors(Scenario, resets("at_shifts", a={"schedule": [{"duration_s": -1}, {}]}))
    assert [location for location, _ in found] == [("groups", "a", "schedule", 0, "duration_s")]


def test_the_resolved_scenario_lists_the_resets(tmp_path):
    scenario = Scenario.model_validate(resets("at_shifts", a={"schedule": THIRDS}))
    path = tmp_path / "resolved.yaml"
    path.write_text(loader.dump(scenario), encoding="utf-8")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["resets_s"] == [3.0]
    assert loader.load(path) == scenario


def test_the_packaged_shifts_show_every_form():
    scenario = loader.load("shifts")
    groups = scenario.groups.values()
    shifts = [shift for group in groups for shift in group.schedule]
    assert scenario.resets_s
    assert any(shift.mix for shift in shifts)
    assert any(shift.severity_to is not None for shift in shifts)
    assert any(group.rounds for group in groups)
    assert {group.afterwards for group in groups} == {"last_shift", "clean"}
    assert {group.schedule_order for group in groups} == {"listed", "shuffled"}
    assert {group.schedule_start for group in groups} == {"together", "staggered"}
    assert len({group.stream.labels for group in groups}) == 3


@pytest.mark.parametrize(
    ("field", "value", "ok"),
    [
        ("uplink_mbps", math.inf, True),
        ("uplink_mbps", 0, False),
        ("uplink_mbps", math.nan, False),
        ("uplink_mbps", "10", False),
        ("uplink_mbps", True, False),
        ("latency_ms", 0, True),
        ("latency_ms", math.inf, False),
        ("loss", 0, True),
        ("loss", 1, False),
        ("packet_bytes", 1460.0, False),
        ("uplink_loss", None, True),
        ("bandwidth", 3, False),
    ],
)
def test_limits_of_a_link(field, value, ok):
    data = {"uplink_mbps": 1, "downlink_mbps": 1, field: value}
    if ok:
        assert getattr(Link.model_validate(data), field) == value
    else:
        assert [location[0] for location, _ in errors(Link, data)] == [field]


CELL = {"uplink_mbps": 5, "downlink_mbps": math.inf}


def in_cells(cells, **named):
    """A scenario's data with these cells, and groups whose links are parts of the named ones."""
    groups = {name: {**GROUP, "link": {**GROUP["link"], "cell": cell}} for name, cell in named.items()}
    return {**MINIMAL, "cells": cells, "groups": groups}


def test_links_share_cells():
    scenario = Scenario.model_validate(in_cells({"town": CELL}, a="town", b="town", c=None))
    assert scenario.cells["town"].uplink_mbps == 5
    assert [group.link.cell for group in scenario.groups.values()] == ["town", "town", None]
    assert Scenario.model_validate(MINIMAL).cells == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            in_cells({"town": CELL}, a="twon"),
            "groups.a.link.cell: no such cell 'twon'; did you mean 'town'? cells: town",
        ),
        (
            in_cells({}, a="town"),
            "groups.a.link.cell: no such cell 'town'; cells: none; describe it in `cells`",
        ),
        (
            in_cells({"town": CELL, "sea": CELL}, a="town"),
            "cells.sea: no group names it; name it in a group's `link.cell`, or remove it from `cells`",
        ),
    ],
)
def test_cells_that_do_not_match_the_links(data, message):
    assert errors(Scenario, data) == [(("groups",), message)]


@pytest.mark.parametrize("rate", [0, -1, math.nan, "5", None])
def test_a_cell_has_a_rate(rate):
    found = errors(Scenario, in_cells({"town": {**CELL, "uplink_mbps": rate}}, a="town"))
    assert [location[:3] for location, _ in found] == [("cells", "town", "uplink_mbps")]


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "..", "é", "x" * 81])
def test_names_that_cannot_be_folders(name):
    assert [location for location, _ in errors(Scenario, {**MINIMAL, "name": name})] == [("name",)]
    assert errors(Scenario, {**MINIMAL, "groups": {name: GROUP}})[0][0] == ("groups", name, "[key]")


def test_a_scenario_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Scenario.model_validate(MINIMAL).seed = 3


@pytest.mark.parametrize("label", ["scenario.yaml", "manifest.json", "frontier.png"])
def test_a_label_is_no_name_of_a_results_file(label):
    (found,) = errors(Scenario, {**MINIMAL, "strategy": {"name": "source", "label": label}})
    assert found == (
        ("strategy",),
        f"{label!r} cannot name a folder beside the results' files; leave out the ending",
    )
