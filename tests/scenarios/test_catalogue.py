from importlib import import_module

import pytest
from pydantic import TypeAdapter, ValidationError

from models.codecs.jpeg import Jpeg
from models.codecs.png import Png
from scenarios import catalogue

ROOMS = [
    catalogue.STRATEGIES,
    catalogue.CODECS,
    catalogue.UPDATE_CODECS,
    catalogue.DATASETS,
    catalogue.MODELS,
    catalogue.BANDWIDTHS,
    catalogue.LATENCIES,
    catalogue.RANKS,
]


def test_names_are_sorted_files_without_shared_parts():
    assert catalogue.names(catalogue.CODECS) == ("jpeg", "png", "raw")


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_has_settings(room):
    base = import_module(room).Base
    for name in catalogue.names(room):
        assert issubclass(catalogue.settings_class(room, name), base)


@pytest.mark.parametrize(
    ("room", "field"),
    [
        (catalogue.STRATEGIES, "name"),
        (catalogue.CODECS, "codec"),
        (catalogue.RANKS, "rank"),
        (catalogue.BANDWIDTHS, "model"),
        (catalogue.LATENCIES, "distribution"),
    ],
)
def test_settings_hold_the_name_of_their_file(room, field):
    for name in catalogue.names(room):
        assert catalogue.settings_class(room, name).model_fields[field].default == name


def test_unknown_name():
    with pytest.raises(KeyError, match=r"'gif' is not in models.codecs: jpeg, png, raw"):
        catalogue.module(catalogue.CODECS, "gif")


def test_a_file_without_settings_is_a_defect(monkeypatch):
    monkeypatch.setattr(catalogue, "names", lambda room: ("_pillow",))
    with pytest.raises(TypeError, match=r"models.codecs._pillow must define exactly one Base, not 0"):
        catalogue.settings_class(catalogue.CODECS, "_pillow")


def test_a_choice_by_field():
    codec = TypeAdapter(catalogue.tagged_by_field(catalogue.CODECS, "codec"))
    assert codec.validate_python({"codec": "jpeg", "quality": 50}) == Jpeg(quality=50)
    assert codec.validate_python("png") == Png()
    assert codec.validate_python(Png()) == Png()


@pytest.mark.parametrize("value", ["gif", {"codec": "gif"}, {"quality": 3}, 3, None])
def test_an_unknown_choice_by_field(value):
    codec = TypeAdapter(catalogue.tagged_by_field(catalogue.CODECS, "codec"))
    with pytest.raises(ValidationError, match="`codec` must be one of: jpeg, png, raw"):
        codec.validate_python(value)


def test_a_choice_by_key():
    data = TypeAdapter(catalogue.tagged_by_key(catalogue.DATASETS))
    assert data.validate_python({"packaged": "fashion-mnist"}).packaged == "fashion-mnist"


@pytest.mark.parametrize("value", ["fashion-mnist", {"pakaged": "fashion-mnist"}, {}, None])
def test_an_unknown_choice_by_key(value):
    data = TypeAdapter(catalogue.tagged_by_key(catalogue.DATASETS))
    with pytest.raises(ValidationError, match="must be a mapping with one of the keys: "):
        data.validate_python(value)
