import pytest

from scenarios.overrides import Draft, OverrideError
from scenarios.schema import Scenario


def changed(data, *texts):
    draft = Draft(Scenario, data, {})
    for text in texts:
        draft.override(text)
    return draft.data


@pytest.mark.parametrize(
    ("data", "text", "expected"),
    [
        ({"seed": 1}, "seed=2", {"seed": 2}),
        ({}, "seed=2", {"seed": 2}),
        ({}, "description=a=b: c", {"description": "a=b: c"}),
        ({"groups": {"a": {}}}, "groups.a.link.loss=1e-3", {"groups": {"a": {"link": {"loss": 0.001}}}}),
        ({"cloud": None}, "cloud.gflops=.inf", {"cloud": {"gflops": float("inf")}}),
        ({"groups": {"v1.2": {}}}, "groups.v1.2.count=3", {"groups": {"v1.2": {"count": 3}}}),
        ({"strategy": "cema"}, "strategy=source", {"strategy": "source"}),
        ({"strategy": "cema"}, "strategy.preset=paper", {"strategy": {"name": "cema", "preset": "paper"}}),
        ({"strategy": "cema"}, "strategy.0.preset=paper", {"strategy": {"name": "cema", "preset": "paper"}}),
        ({"strategy": "cema"}, "strategy.cema.preset=x", {"strategy": {"name": "cema", "preset": "x"}}),
        ({"strategy": {"name": "cema"}}, "strategy.0=source", {"strategy": "source"}),
        (
            {"strategy": ["source", "cema"]},
            "strategy.1.a=1",
            {"strategy": ["source", {"name": "cema", "a": 1}]},
        ),
        (
            {"strategy": ["source", "cema"]},
            "strategy.cema.a=1",
            {"strategy": ["source", {"name": "cema", "a": 1}]},
        ),
        (
            {"strategy": [{"name": "cema", "label": "e-0.4"}]},
            "strategy.e-0.4.a=1",
            {"strategy": [{"name": "cema", "label": "e-0.4", "a": 1}]},
        ),
        ({"strategy": ["source"]}, "strategy.1=cema", {"strategy": ["source", "cema"]}),
        (
            {"cloud": {"update_codec": "fp32"}},
            "cloud.update_codec.x=1",
            {"cloud": {"update_codec": {"codec": "fp32", "x": 1}}},
        ),
        (
            {"groups": {"a": {}}},
            "groups.a.upload_codec.compression=1",
            {"groups": {"a": {"upload_codec": {"codec": "png", "compression": 1}}}},
        ),
        (
            {"groups": {"a": {"compute": "raspberry-pi-4"}}},
            "groups.a.compute.gflops=3",
            {"groups": {"a": {"compute": {"profile": "raspberry-pi-4", "gflops": 3}}}},
        ),
        (
            {"groups": {"a": {}}},
            "groups.a.schedule.0.severity=1",
            {"groups": {"a": {"schedule": [{"severity": 1}]}}},
        ),
    ],
)
def test_what_an_override_changes(data, text, expected):
    assert changed(data, text) == expected


def test_the_original_is_left_alone():
    data = {"cloud": {"gflops": 1}}
    changed(data, "cloud.gflops=2")
    assert data == {"cloud": {"gflops": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "must be path.to.field=value, as in groups.lte.link.loss=0.1"),
        ("=3", "must be path.to.field=value, as in groups.lte.link.loss=0.1"),
        ("a..b=3", "must be path.to.field=value, as in groups.lte.link.loss=0.1"),
        ("data=[1", "the value cannot be read: a ',' or the closing bracket is missing"),
        ("seed.x=3", "seed is a single value and has no fields"),
        (
            "strategy.tent.x=3",
            "strategy is a list of 2; name a position, counted from 0 (2 appends), or one of: source, cema",
        ),
        (
            "strategy.3.x=3",
            "strategy is a list of 2; name a position, counted from 0 (2 appends), or one of: source, cema",
        ),
    ],
)
def test_overrides_that_cannot_be_applied(text, message):
    with pytest.raises(OverrideError) as caught:
        changed({"seed": 1, "strategy": ["source", "cema"]}, text)
    assert str(caught.value) == message


def test_sources_are_lines_until_they_are_overridden():
    draft = Draft(Scenario, {"cloud": {"gflops": 1}}, {(): 1, ("cloud",): 2, ("cloud", "gflops"): 3})
    assert draft.source(("cloud", "overhead_ms")) == 2
    draft.override("cloud.gflops=2")
    assert draft.source(("cloud", "gflops")) == "--set cloud.gflops=2"
    assert draft.source(("cloud",)) == 2
    draft.override("cloud={gflops: 3}")
    assert draft.source(("cloud", "gflops")) == "--set cloud={gflops: 3}"


def test_an_override_that_fails_leaves_no_trace():
    draft = Draft(Scenario, {"groups": {"a": {"schedule": None}}}, {("groups", "a", "schedule"): 3})
    with pytest.raises(OverrideError):
        draft.override("groups.a.schedule.1.severity=2")
    assert draft.data == {"groups": {"a": {"schedule": None}}}
    assert draft.source(("groups", "a", "schedule")) == 3
