"""What tests of settings share."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from scenarios import loader

MINIMAL = (Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8")
"""A scenario's text without a word too many."""


def errors(settings, data):
    """Return where the mistakes in data are, and what is said of them."""
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(data)
    return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in caught.value.errors()]


def told(folder, text):
    """Return the line that each mistake in a scenario's text is said to be on, and what is said of it."""
    path = folder / "city.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(loader.ScenarioError) as caught:
        loader.load(path)
    found = []
    for mistake in caught.value.mistakes:
        number, _, why = mistake.removeprefix(f"{path}:").partition(": ")
        found.append((text.splitlines()[int(number) - 1].strip(), why))
    return found


def told_below(folder, line, added):
    """Return what is said of a line that is added to the minimal scenario below one of its lines.

    It is a field beside that one, or inside of it where that line ends with a colon.
    """
    indentation = len(line) - len(line.lstrip()) + 2 * line.endswith(":")
    assert f"{line}\n" in MINIMAL
    found = told(folder, MINIMAL.replace(f"{line}\n", f"{line}\n{' ' * indentation}{added}\n", 1))
    assert {place for place, _ in found} == {added}
    return [why for _, why in found]
