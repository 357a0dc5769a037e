import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenarios import loader, yaml_reader
from scenarios.study import COLUMNS, GridAxis, ListAxis, Study, ZipAxis, text


def study(**fields):
    return Study.model_validate({"name": "s", "base": "quickstart"} | fields)


def mistake(**fields):
    with pytest.raises(ValidationError) as caught:
        study(**fields)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("png", "png"),
        (1, "1"),
        (0.5, "0.5"),
        (1e-5, "1e-05"),
        (math.inf, "inf"),
        (True, "true"),
        (None, "null"),
        ({"codec": "jpeg", "quality": 90}, "{codec: jpeg, quality: 90}"),
        ([1, {"a": "b"}], "[1, {a: b}]"),
    ],
)
def test_text_of_a_value(value, expected):
    assert text(value) == expected


def test_a_long_value_stays_on_one_line():
    assert "\n" not in text([{"corruption": "fog", "severity": 5, "duration_s": 1.0}] * 50)


def test_a_list_has_an_entry_for_each_label():
    axis = ListAxis(name="world", list={"clean": {}, "fog 5": {"a.b": 1, "c": [2]}})
    assert axis.columns == ("world",)
    clean, fog = axis.entries()
    assert clean == ({"world": "clean"}, [])
    assert fog == (
        {"world": "fog 5"},
        [("a.b", 1, ("list", "fog 5", "a.b")), ("c", [2], ("list", "fog 5", "c"))],
    )


def test_a_grid_combines_its_fields_and_the_last_changes_fastest():
    axis = GridAxis(grid={"a": [1, 2], "b.c": [0.5, math.inf]})
    assert axis.columns == ("a", "b.c")
    assert [labels for labels, _ in axis.entries()] == [
        {"a": "1", "b.c": "0.5"},
        {"a": "1", "b.c": "inf"},
        {"a": "2", "b.c": "0.5"},
        {"a": "2", "b.c": "inf"},
    ]
    assert list(axis.entries())[2].assignments == [
        ("a", 2, ("grid", "a", 1)),
        ("b.c", 0.5, ("grid", "b.c", 0)),
    ]


def test_a_zip_changes_its_fields_together():
    axis = ZipAxis(zip={"count": [4, 8], "rate": [2, 1]})
    assert axis.columns == ("count", "rate")
    assert [labels for labels, _ in axis.entries()] == [
        {"count": "4", "rate": "2"},
        {"count": "8", "rate": "1"},
    ]
    assert list(axis.entries())[1].assignments == [
        ("count", 8, ("zip", "count", 1)),
        ("rate", 1, ("zip", "rate", 1)),
    ]


LISTS = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=4, unique=True), min_size=1
)


@given(LISTS)
def test_a_grid_is_the_product(lists):
    entries = list(GridAxis(grid=lists).entries())
    values = [tuple(each.value for each in entry.assignments) for entry in entries]
    assert values == list(itertools.product(*lists.values()))
    assert len({tuple(entry.labels.items()) for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"axes": [{"grid": {"a": [1, 2, 1]}}]}, "1 is given twice"),
        ({"axes": [{"zip": {"a": [1, 2], "b": [3]}}]}, "the lists must be of equal length, not 2 (a), 1 (b)"),
        ({"axes": [{"zip": {"a": [1, 1], "b": [3, 3]}}]}, "[1, 3] is given twice"),
        ({"axes": [{"table": {}}]}, "must be a mapping with one of the keys: list, grid, zip"),
        (
            {"axes": [{"name": "seed", "list": {"x": {}}}]},
            "'seed' is the name of another column; choose another name",
        ),
        (
            {"axes": [{"grid": {"a": [1]}}, {"zip": {"a": [1]}}]},
            "'a' is the name of another column; choose another name",
        ),
        (
            {"axes": [{"name": "x", "list": {" a": {}}}]},
            "must be printable text that neither begins nor ends with a space",
        ),
        ({"seeds": [1, 2, 1]}, "1 is given twice"),
        ({"strategies": ["ablation", "source", "ablation"]}, "`ablation` is given twice"),
    ],
)
def test_one_mistake(fields, message):
    assert mistake(**fields) == message


def test_values_may_repeat_in_one_list_of_a_zip():
    assert len(list(ZipAxis(zip={"a": [1, 1], "b": [3, 4]}).entries())) == 2


def test_a_single_strategy_or_word_stands_for_a_list():
    assert study(strategies="ablation").strategies == ("ablation",)
    assert study().strategies is None


def test_columns_of_axes_follow_one_another():
    assert study(axes=[{"name": "w", "list": {"x": {}}}, {"grid": {"a": [1], "b": [1]}}]).columns == (
        "w",
        "a",
        "b",
    )
    assert COLUMNS == ("run", "folder", "strategy", "seed", "status", "error")


def test_a_written_study_is_read_back_as_it_was():
    written = study(
        set={"cloud.gflops": math.inf, "name": "NO"},
        strategies=["source", {"name": "cema", "replay": None}],
        seeds=[0, 3],
        axes=[
            {"name": "w", "list": {"1:30": {"a": [{"b": 1e-3}]}}},
            {"grid": {"c": [1, math.inf, None]}},
            {"zip": {"d": [True], "e": ["x"]}},
        ],
    )
    document = yaml_reader.read(loader.dump(written))
    assert document.problems == ()
    assert Study.model_validate(document.data) == written
