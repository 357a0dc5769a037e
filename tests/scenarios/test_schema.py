import math
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from models.codecs.png import Png
from models.update_codecs.fp16 import Fp16
from scenarios import catalogue
from scenarios.schema import Group, Link, Queue, Scenario, Shift

MINIMAL = yaml.safe_load((Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8"))
GROUP = MINIMAL["groups"]["lte"]
FOG = {"corruption": "fog", "severity": 3}


def errors(settings, data):
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(data)
    return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in caught.value.errors()]


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


@pytest.mark.parametrize(
    ("shift", "location", "message"),
    [
        ({"severity": 3}, ("severity",), "a severity without a corruption; leave it out"),
        ({"corruption": "fog"}, ("severity",), "corruption 'fog' needs a severity from 1 to 5"),
        ({**FOG, "severity": 6}, ("severity",), "Input should be less than or equal to 5"),
        ({"duration_s": 0}, ("duration_s",), "Input should be greater than or equal to 0.000001"),
    ],
)
def test_shifts_that_make_no_sense(shift, location, message):
    assert errors(Shift, shift) == [(location, message)]


def test_an_unknown_corruption_lists_what_is_allowed():
    allowed = ", ".join(("none", *catalogue.names(catalogue.CORRUPTIONS)))
    assert errors(Shift, {"corruption": "soot", "severity": 1}) == [
        (("corruption",), f"must be one of: {allowed}")
    ]


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
        assert [location for location, _ in errors(Link, data)] == [(field,)]


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "..", "é", "x" * 81])
def test_names_that_cannot_be_folders(name):
    assert [location for location, _ in errors(Scenario, {**MINIMAL, "name": name})] == [("name",)]
    assert errors(Scenario, {**MINIMAL, "groups": {name: GROUP}})[0][0] == ("groups", name, "[key]")


def test_a_scenario_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Scenario.model_validate(MINIMAL).seed = 3
