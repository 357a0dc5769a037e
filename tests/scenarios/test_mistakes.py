import pytest
from pydantic import ValidationError

from scenarios import mistakes
from scenarios.overrides import Draft
from scenarios.schema import Scenario
from scenarios.structure import ABSENT

CLOUD = {"gflops": 1.0}


def explained(data, below):
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate(data)
    found = mistakes.explain(Draft(Scenario, data, {}), caught.value.errors())
    return [tuple(mistake) for mistake in found if mistake.path[: len(below)] == below]


def test_missing_fields_say_what_they_are():
    found = {path[0]: text for path, _, text in explained({}, ())}
    assert found["duration_s"] == "missing (Simulated time at which the run ends)"
    assert found["cloud"] == "missing (Where the foundation model lives)"
    assert found["name"] == "missing"
    assert found["data"].startswith("missing (a mapping with one of the keys: ")
    assert found["strategy"].startswith("missing (one of: ")


def test_a_misspelt_field_is_not_reported_missing_as_well():
    text = (
        "unknown field 'gflpos'; did you mean 'gflops'? allowed: profile, accelerators, gflops, overhead_ms, "
        "update_codec, inbox, autoscaling, crashes, catches_up"
    )
    assert explained({"cloud": {"gflpos": 1}}, ("cloud",)) == [(("cloud", "gflpos"), ABSENT, text)]


def test_a_field_of_a_neighbour():
    ((_, _, text),) = explained({"groups": {"a": {"rate_hz": 1}}}, ("groups", "a", "rate_hz"))
    assert text.startswith("unknown field 'rate_hz'; it belongs in `stream`; allowed: count, stream, ")


@pytest.mark.parametrize(
    ("given", "path", "value", "text"),
    [
        ("fp61", (), "fp61", "did you mean 'fp16'? must be one of: fp16, fp32, int8"),
        ({"codec": "int9"}, ("codec",), "int9", "did you mean 'int8'? must be one of: fp16, fp32, int8"),
        ({"codec": None}, ("codec",), None, "must be one of: fp16, fp32, int8"),
        ({}, (), {}, "`codec` must be one of: fp16, fp32, int8"),
        (3, (), 3, "`codec` must be one of: fp16, fp32, int8"),
    ],
)
def test_an_unknown_choice_is_shown_as_given(given, path, value, text):
    below = ("cloud", "update_codec")
    assert explained({"cloud": {**CLOUD, "update_codec": given}}, below) == [((*below, *path), value, text)]


def test_an_unknown_key_of_a_choice():
    ((_, _, text),) = explained({"data": {"pakaged": "fashion-mnist"}}, ("data",))
    assert text.startswith("did you mean 'packaged'? must be a mapping with one of the keys: ")


def test_a_list_with_wrong_items_is_not_called_too_short():
    assert len(explained({"strategy": ["no such strategy"]}, ("strategy",))) == 1
    assert explained({"strategy": []}, ("strategy",)) == [
        (("strategy",), ABSENT, "must have at least 1 entry")
    ]
