import math

import pytest

from scenarios import yaml_reader
from scenarios.yaml_reader import Problem, UnreadableError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", "010"),
        ("01.5", "01.5"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("10ms", "10ms"),
    ],
)
def test_plain_scalars(text, value):
    found = yaml_reader.read(f"key: {text}").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_read():
    assert math.isnan(yaml_reader.read(".nan").data)


def test_quoted_scalars_are_text():
    assert yaml_reader.read("['5', \"true\", '']").data == ["5", "true", ""]


def test_core_tags_are_understood():
    assert yaml_reader.read("[!!str 5, !!float 3]").data == ["5", 3.0]


def test_keys_are_text():
    assert yaml_reader.read("on: 1\nno: 2\n3: 4\n~: 5\n").data == {"on": 1, "no": 2, "3": 4, "~": 5}


def test_lines_are_those_of_keys_and_items():
    document = yaml_reader.read("a:\n  b:\n\n    - 1\n    - c: 2\n")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 4,
        ("a", "b", 1): 5,
        ("a", "b", 1, "c"): 5,
    }


def test_an_empty_document_is_null():
    assert yaml_reader.read("# nothing\n").data is None


def test_every_duplicate_is_reported_and_the_first_is_kept():
    document = yaml_reader.read("a: 1\nb: {c: 2, c: 3}\na: 4\n")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.problems == (
        Problem(("a",), 3, "given twice, first on line 1; keep one"),
        Problem(("b", "c"), 2, "given twice, first on line 2; keep one"),
    )


def test_aliases_and_merge_keys():
    document = yaml_reader.read(
        "base: &base {p: 1, q: 2}\nmore: &more {q: 3, r: 4}\nx: {<<: [*base, *more], p: 9}"
    )
    assert document.data["x"] == {"p": 9, "q": 2, "r": 4}
    assert document.problems == ()


def test_a_duplicate_behind_an_anchor_is_reported_once():
    document = yaml_reader.read("a: &a {p: 1, p: 2}\nb: *a\nc: {<<: *a}\n")
    assert [problem.line for problem in document.problems] == [1]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            "!!python/object/apply:os.system [ls]",
            "the tag !!python/object/apply:os.system is not allowed; write the value without it",
        ),
        ("!foo 3", "the tag !foo is not allowed; write the value without it"),
        ("!foo {b: 1}", "the tag !foo is not allowed; write the value without it"),
        ("!!int abc", "'abc' is not what the tag !!int says"),
        ("{<<: 3}", "only mappings can be merged in: `<<: *name`"),
        ("{[1]: 2}", "a key must be text, not a list or a mapping"),
    ],
)
def test_problems_that_leave_the_rest_readable(value, problem):
    document = yaml_reader.read(f"x: 1\na: {value}\nz: 2\n")
    assert [(found.line, found.text) for found in document.problems] == [(2, problem)]
    assert document.data["z"] == 2


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: b: c", 1, 5, "a ':' where no key can stand; check the indentation, or quote it"),
        ("a:\n\t- b", 2, 1, "a character that no value begins with; indent with spaces, or quote the text"),
        ("a: [1, 2\nb: 3", 2, 2, "a ',' or the closing bracket is missing"),
        ("a: 'x\nb: 3", 2, 5, "a quotation mark is never closed"),
        ("a: 1\nfoo\nb: 2", 3, 1, "a line without the ':' that makes it a field; check its indentation"),
        ("a: {b: 1}}", 1, 10, "the indentation does not fit the lines above, or a bracket has no partner"),
        ("a: - b", 1, 4, "a '-' where no list item can stand; check the indentation, or quote it"),
        ("a: *b", 1, 4, "an alias (*name) whose anchor (&name) does not stand above it"),
        ("a: &a [*a]", 1, 4, "an alias inside of what it stands for"),
        ("a: &a {<<: *a}", 1, 4, "an alias inside of what it stands for"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document ('---'); a scenario is one document"),
        ("a:\n  \x07", 2, 3, "the character U+0007 is not allowed in YAML"),
        ('a: "\\d"', 1, 6, "an unknown escape after '\\'; use single quotes for text with backslashes"),
        ("[" * 5000, 1, 1, "nested too deeply"),
    ],
)
def test_what_cannot_be_read(text, line, column, message):
    with pytest.raises(UnreadableError) as caught:
        yaml_reader.read(text)
    assert (caught.value.line, caught.value.column, str(caught.value)) == (line, column, message)


@pytest.mark.parametrize("level", ["[{0}]", "{{<<: [{0}]}}"])
def test_aliases_cannot_multiply_without_end(level):
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} " + level.format(",".join([f"*a{i - 1}"] * 10)) for i in range(1, 9)]
    with pytest.raises(UnreadableError, match="more than 100000 values"):
        yaml_reader.read("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        (" 3 ", 3),
        ("", None),
        ("010", "010"),
        ("note: this # too", "note: this # too"),
        ("[1, {a: NO}]", [1, {"a": "NO"}]),
        ("'5'", "5"),
    ],
)
def test_values_from_the_command_line(text, value):
    assert yaml_reader.value(text) == value


@pytest.mark.parametrize("text", ["[1", "'a' b", "{a: 1, a: 2}", "[!foo 1]"])
def test_values_that_cannot_be_read(text):
    with pytest.raises(UnreadableError):
        yaml_reader.value(text)
