import pytest

from models.codecs.jpeg import Jpeg
from models.strategies.source import Source
from scenarios import structure
from scenarios.cloud import Cloud, Inbox
from scenarios.fleet import Group, Queue
from scenarios.life import Life, Spread
from scenarios.network import Link
from scenarios.schema import Models, Scenario
from scenarios.structure import ABSENT


@pytest.mark.parametrize(
    ("data", "location", "path", "owner"),
    [
        ({}, (), (), None),
        ({}, ("seed",), ("seed",), Scenario),
        ({"strategy": "source"}, ("strategy", 0, "source", "x"), ("strategy", "x"), Source),
        ({"strategy": ["source"]}, ("strategy", 0, "source", "x"), ("strategy", 0, "x"), Source),
        (
            {"groups": {"a": {}}},
            ("groups", "a", "upload_codec", "jpeg", "quality"),
            ("groups", "a", "upload_codec", "quality"),
            Jpeg,
        ),
        ({"groups": {"a b": {}}}, ("groups", "a b", "[key]"), ("groups", "a b"), None),
        ({"cloud": "v100"}, ("cloud", "profile"), ("cloud",), Cloud),
        ({"cloud": {"profile": "v100"}}, ("cloud", "profile"), ("cloud", "profile"), Cloud),
    ],
)
def test_locations_without_what_pydantic_adds(data, location, path, owner):
    place = structure.locate(Scenario, data, location)
    assert place.path == path
    assert owner is None or place.owner is owner


def test_a_key_may_be_called_like_its_choice():
    location = ("data", "packaged", "packaged")
    assert structure.locate(Scenario, {"data": {"packaged": "x"}}, location).path == ("data", "packaged")


def test_choices_of_an_optional_field():
    declared = structure.child(Models, "foundation")
    assert {"factory", "packaged"} <= set(structure.choices(declared))
    assert structure.selector(declared) is None


def test_a_choice_by_field():
    declared = structure.child(Group, "upload_codec")
    assert structure.selector(declared) == "codec"
    assert structure.chosen(declared, {"codec": "jpeg"}) is Jpeg
    assert structure.chosen(declared, {"codec": "gif"}) is None
    assert structure.default(Group, "upload_codec") == "png"


def test_a_bare_name_stands_for_a_profile():
    assert structure.selector(structure.child(Group, "link")) == "profile"
    assert structure.selector(structure.child(Group, "queue")) is None


def test_what_is_no_choice():
    assert structure.choices(Link) == {}
    assert structure.chosen(Link, {}) is Link
    assert structure.default(Group, "queue") is ABSENT


def test_settings_stand_beside_none_and_annotations():
    assert structure.settings(structure.child(Cloud, "inbox")) is Inbox
    assert structure.settings(structure.child(Life, "joins_s")) is Spread
    assert structure.settings(structure.child(Queue, "capacity")) is None


def test_fields_and_children():
    assert list(structure.fields(Queue)) == ["capacity", "overflow", "skip_after_s"]
    assert structure.child(structure.child(Scenario, "groups"), "any name") is Group
    assert structure.item(structure.child(Scenario, "strategy")) is not None
    assert structure.child(Link, "nothing") is None
