import pytest
import yaml

from scenarios import catalogue, loader
from scenarios.loader import ScenarioError
from scenarios.world import DirichletLabels, LabelOrder, MixtureComponent, Shift, Stream
from tests.scenarios.mistaken import errors

FOG = {"corruption": "fog", "severity": 3}


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


def test_a_ramp_goes_through_whole_severities():
    up = Shift(corruption="fog", severity_to=3, duration_s=4.0)
    down = Shift(corruption="fog", severity=5, severity_to=4, duration_s=4.0)
    level = Shift(corruption="fog", severity=5, severity_to=5, duration_s=4.0)
    assert up.conditions == (("none", 0), ("fog", 1), ("fog", 2), ("fog", 3))
    assert (down.conditions, level.conditions) == ((("fog", 5), ("fog", 4)), (("fog", 5),))


RAMP = {"corruption": "fog", "severity": 1, "severity_to": 5, "duration_s": 9}


@pytest.mark.parametrize(
    ("shift", "location", "message"),
    [
        (
            RAMP | {"duration_s": None},
            "duration_s",
            "a ramp needs a duration_s, over which the severity changes",
        ),
        (RAMP | {"severity_to": 6}, "severity_to", "Input should be less than or equal to 5"),
        (
            RAMP | {"severity": 0, "severity_to": 0},
            "severity",
            "corruption 'fog' needs a severity from 1 to 5",
        ),
        (RAMP | {"corruption": "none"}, "severity_to", "a ramp needs a corruption, and a single one"),
    ],
)
def test_ramps_that_make_no_sense(shift, location, message):
    assert errors(Shift, shift) == [((location,), message)]


def test_a_mixture_has_components_with_weights():
    shift = Shift.model_validate({"mix": [FOG, {"weight": 3}]})
    assert shift.mix == (MixtureComponent(corruption="fog", severity=3), MixtureComponent(weight=3.0))
    assert (shift.corruption, shift.severity) == ("mixed", 0)
    assert shift.conditions == (("fog", 3), ("none", 0))
    assert Shift.model_validate(shift.model_dump(mode="json")) == shift


@pytest.mark.parametrize(
    ("shift", "location", "message"),
    [
        ({"mix": []}, ("mix",), "Tuple should have at least 1 item after validation, not 0"),
        (
            {"mix": [{}, {"corruption": "fog"}]},
            ("mix", 1, "severity"),
            "corruption 'fog' needs a severity from 1 to 5",
        ),
        (
            {"mix": [{}, {"weight": 0}]},
            ("mix", 1, "weight"),
            "Input should be greater than or equal to 0.000001",
        ),
        ({"mix": [FOG], "corruption": "fog"}, ("corruption",), "a corruption beside `mix`; leave it out"),
        (
            {"mix": [FOG], "severity": 3},
            ("severity",),
            "a severity beside `mix`, whose entries have their own; leave it out",
        ),
        ({"mix": [FOG], "severity_to": 3}, ("severity_to",), "a ramp needs a corruption, and a single one"),
        ({"corruption": "mixed"}, ("corruption",), "needs a `mix`, the conditions to draw from"),
    ],
)
def test_mixtures_that_make_no_sense(shift, location, message):
    assert errors(Shift, shift) == [(location, message)]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("shuffled", LabelOrder(order="shuffled")),
        ("sorted", LabelOrder(order="sorted")),
        ({"order": "sorted"}, LabelOrder(order="sorted")),
        ({"dirichlet": 0.1}, DirichletLabels(dirichlet=0.1)),
    ],
)
def test_orders_of_labels(labels, found):
    stream = Stream.model_validate({"rate_hz": 1, "labels": labels})
    assert stream.labels == found
    assert Stream.model_validate(stream.model_dump(mode="json")) == stream


CHOICE = "must be shuffled, sorted or a mapping {dirichlet: CONCENTRATION}"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("sortd", f": sortd: {CHOICE}"),
        ({"dirichelt": 0.1}, f": {{dirichelt: 0.1}}: did you mean 'dirichlet'? {CHOICE}"),
        ({"dirichlet": 0}, ".dirichlet: 0: must be at least 1e-06"),
        ({"dirichlet": 1, "order": "sorted"}, ".order: only one of these can be given: order, dirichlet"),
        ({"order": "srted"}, ".order: srted: did you mean 'sorted'? must be one of: shuffled, sorted"),
    ],
)
def test_orders_of_labels_that_are_not_known(tmp_path, labels, message):
    group = {"stream": {"rate_hz": 1, "labels": labels}, "compute": {"gflops": 1}}
    data = {
        "name": "labels",
        "duration_s": 1,
        "data": {"packaged": "fashion-mnist"},
        "models": {"edge": {"packaged": "fashion-mnist-edge"}},
        "strategy": "source",
        "cloud": {"gflops": 1},
        "groups": {"a": group | {"link": {"uplink_mbps": 1, "downlink_mbps": 1}}},
    }
    path = tmp_path / "labels.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        loader.load(path)
    (line,) = caught.value.mistakes
    assert line.partition(": groups.a.stream.labels")[2] == message
