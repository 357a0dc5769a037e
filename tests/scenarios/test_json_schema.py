"""The JSON Schema of scenarios, with which editors check a file as it is written."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from scenarios.schema import Scenario
from tests.sim.random_scenarios import troubled_scenarios

LIBRARY = [file for file in resources.files("scenarios.library").iterdir() if file.name.endswith(".yaml")]


@pytest.fixture(scope="module")
def validator():
    schema = Scenario.model_json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def read(name):
    (file,) = (file for file in LIBRARY if file.name == f"{name}.yaml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def wrong(validator, data):
    return sorted(".".join(map(str, error.absolute_path)) for error in validator.iter_errors(data))


@pytest.mark.parametrize("file", LIBRARY, ids=lambda file: file.name)
def test_packaged_scenarios_are_valid(validator, file):
    assert wrong(validator, yaml.safe_load(file.read_text(encoding="utf-8"))) == []


@given(troubled_scenarios())
@settings(max_examples=30)
def test_scenarios_with_every_trouble_are_valid(validator, tiny, changes):
    assert wrong(validator, tiny.describe(**changes)) == []


def test_a_single_strategy_may_be_a_name(validator):
    assert wrong(validator, read("quickstart") | {"strategy": "source"}) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("duration_s", "long"),
        ("strategy", "sorcery"),
        ("seed", -1),
        ("cloud.update_codec", "fp8"),
        ("groups.lte.upload_codec", "gif"),
        ("groups.lte.link.loss", 2),
        ("groups.lte.stream.labels", "mixed"),
    ],
)
def test_mistakes_are_found_where_they_are(validator, place, value):
    data = read("quickstart")
    *way, last = place.split(".")
    inside = data
    for part in way:
        inside = inside[part]
    inside[last] = value
    assert wrong(validator, data) == [place]


def test_an_unknown_field_is_a_mistake_of_its_owner(validator):
    assert wrong(validator, read("quickstart") | {"unknown": 1}) == [""]
