"""The document on the methods says what the presets are, and leaves no strategy out."""

import json
import re
from pathlib import Path

import pytest

from models.strategies.cema import PRESETS, Cema
from scenarios import catalogue

DOCUMENT = Path(__file__).parent.parent.joinpath("docs", "method.md").read_text(encoding="utf-8")


def table(heading):
    """Return the rows of the first table under a heading, each a list of cells."""
    section = DOCUMENT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\|)\|(?!\|)", row)] for row in rows if "---" not in row]


def flat(value, path=""):
    """Return the settings by dotted field; a criterion that is switched off has the value `off` as a whole."""
    if isinstance(value, dict):
        return {
            name: entry
            for key, inner in value.items()
            for name, entry in flat(inner, f"{path}.{key}".lstrip(".")).items()
        }
    return {path: "off" if value is None else value}


def value(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@pytest.mark.parametrize("preset", PRESETS)
def test_the_table_of_presets(preset):
    header, *rows = table("The presets of `cema`, line by line")
    assert header[0] == "field"
    assert header[1:4] == list(PRESETS)
    written = {row[0].strip("`"): value(row[header.index(preset)]) for row in rows}
    assert len(written) == len(rows)
    expected = flat(Cema(preset=preset).model_dump(mode="json", exclude={"name", "label", "preset"}))
    for name, entry in expected.items():
        if entry == "off":
            assert {text for field, text in written.items() if field.startswith(f"{name}.")} == {"off"}, name
        else:
            assert written[name] == entry, name
    covered = [field for field in written if field in expected or field.rpartition(".")[0] in expected]
    assert covered == list(written)


def test_what_presets_depart_in_is_explained():
    _, *rows = table("The presets of `cema`, line by line")
    for row in rows:
        assert len(set(row[1:4])) == 1 or row[4], row[0]


def test_every_strategy_has_a_line():
    _, *rows = table("The strategies")
    assert sorted(row[0].strip("`") for row in rows) == sorted(catalogue.names(catalogue.STRATEGIES))


def test_it_is_short():
    assert len(DOCUMENT.splitlines()) <= 180
