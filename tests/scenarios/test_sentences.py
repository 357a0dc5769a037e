import math

import pytest
from pydantic import TypeAdapter, ValidationError

from scenarios.sentences import nearest, sentence, shown
from scenarios.settings import Name


def said(declared, value, field="duration_s"):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(declared).validate_python(value, strict=True)
    return sentence(caught.value.errors()[0], value, field)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", "must be a number"),
        (None, "must be a number"),
        (True, "must be a number"),
        ("010", "a leading zero; write 10, or 0o10 for octal"),
        ("-09", "a leading zero; write -9"),
        ("01.5", "a leading zero; write 1.5"),
        ("1_000", "must be a number; write 1000"),
        ("1,5", "must be a number; write 1.5"),
        ("5", "must be a number; write it without quotes"),
        ("inf", "must be a number; infinity is written .inf"),
        ("-Infinity", "must be a number; infinity is written -.inf"),
        ("1e999", "too large for a number"),
        (10**400, "too large for a number"),
        ("10ms", "a plain number is needed; the unit is in the field's name"),
        ("5 Mbps", "a plain number is needed; the unit is in the field's name"),
        ("1:30", "a plain number is needed; the unit is in the field's name"),
    ],
)
def test_what_is_no_number(value, expected):
    assert said(float, value) == expected


def test_a_unit_where_the_field_has_none():
    assert said(float, "5%", "loss") == "a plain number is needed, without a unit"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "must be a whole number"),
        (2.5, "must be a whole number"),
        (16.0, "must be a whole number; write 16"),
    ],
)
def test_what_is_no_whole_number(value, expected):
    assert said(int, value) == expected


def test_other_types():
    assert said(str, 5) == "must be text; put it in quotes"
    assert said(str, None) == "must be text"
    assert said(bool, "yes") == "must be true or false"
    assert said(dict[str, int], 3) == "must be a mapping"
    assert said(tuple[int, ...], 3) == "must be a list"


def test_a_name():
    assert said(Name, "a b") == "must begin with a letter or digit and hold only letters, digits and . _ -"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null (nothing is given)"),
        (math.inf, ".inf"),
        (True, "true"),
        ("5", "'5'"),
        ("NO", "NO"),
        ("a\nb", '"a\\nb"'),
        ({"b": 1, "a": [2]}, "{b: 1, a: [2]}"),
        ("x" * 100, "x" * 57 + "..."),
    ],
)
def test_values_are_shown_as_in_a_scenario(value, expected):
    assert shown(value) == expected


def test_nearest():
    assert nearest("Uplink_mpbs", ["downlink_mbps", "uplink_mbps"]) == "uplink_mbps"
    assert nearest("x", ["uplink_mbps"]) is None
