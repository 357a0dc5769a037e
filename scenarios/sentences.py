"""Sentences on a single value: what is wrong with it, and what is allowed."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from scenarios import yaml_reader

_TYPES = {
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "path_type": "the path of a file or folder",
}
_SENTENCES: dict[str, Callable[[dict[str, Any], Any], str]] = {
    "string_type": lambda _, value: f"must be text{'; put it in quotes' if _is_scalar(value) else ''}",
    "finite_number": lambda _, __: "must be a finite number",
    "greater_than": lambda context, _: f"must be greater than {_bound(context['gt'])}",
    "greater_than_equal": lambda context, _: f"must be at least {_bound(context['ge'])}",
    "less_than": lambda context, _: f"must be less than {_bound(context['lt'])}",
    "less_than_equal": lambda context, _: f"must be at most {_bound(context['le'])}",
    "too_short": lambda context, _: f"must have at least {_items(context['min_length'])}",
    "too_long": lambda context, _: f"must have at most {_items(context['max_length'])}",
    "string_too_short": lambda context, _: f"must have at least {context['min_length']} characters",
    "string_too_long": lambda context, _: f"must have at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context, _: f"must {_form(context['pattern'])}",
    "literal_error": lambda context, value: _one_of(context["expected"], value),
}
_LIMITS = {"finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "begin with a letter or digit and hold only letters, digits and . _ -",
    r"^[^:]+:[A-Za-z_]\w*$": "be `module:function` or `file.py:function`",
}

_NUMBERS = {"float_type": "a number", "int_type": "a whole number", "int_from_float": "a whole number"}
_HINTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"([-+]?)0+([0-9]+(\.[0-9]*)?)"), lambda match: _leading_zero(match[1], match[2])),
    (
        re.compile(r"[-+]?[0-9]+_[0-9_]+(\.[0-9]*)?"),
        lambda match: f"must be a number; write {match[0].replace('_', '')}",
    ),
    (
        re.compile(r"[-+]?[0-9]+,[0-9]+"),
        lambda match: f"must be a number; write {match[0].replace(',', '.')}",
    ),
    (
        re.compile(r"([-+]?)inf(inity)?", re.IGNORECASE),
        lambda match: f"must be a number; infinity is written {match[1]}.inf",
    ),
    (re.compile(r"[-+]?[0-9.]+(e\+?[0-9]+)?", re.IGNORECASE), lambda _: "too large for a number"),
)
_WITH_UNIT = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*[A-Za-zµ%][\w/^%]*|[0-9]+(:[0-9]+)+(\.[0-9]*)?")
_FIELD_WITH_UNIT = re.compile(r"(_s|_ms|_hz|_mbps|_bytes|gflops)$")
_CHOICES = re.compile(r"(?:one of|one of the keys): (.+)$")


def sentence(error: ErrorDetails, value: Any, field: str) -> str:
    """Say what pydantic finds wrong with `value`, which stands at `field`."""
    kind = error["type"]
    if kind in _LIMITS and isinstance(value, float) and math.isnan(value):
        return "must be a number, and .nan is none"
    if kind in _NUMBERS:
        return _number(_NUMBERS[kind], value, field)
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}"
    if kind in _SENTENCES:
        return _SENTENCES[kind](error.get("ctx", {}), value)
    message = error["msg"].removeprefix("Value error, ").replace("Input should ", "must ")
    return with_suggestion(message, value)


def shown(value: Any) -> str:
    """Return a value as it would stand in a scenario, on one line and cut where it is long."""
    if value is None:
        return "null (nothing is given)"
    if isinstance(value, str) and isinstance(yaml_reader.plain(value), str):
        return _cut(value if value.isprintable() else json.dumps(value, ensure_ascii=False))
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf)
    return _cut(" ".join(text.removesuffix("...\n").split()))


def with_suggestion(message: str, value: Any) -> str:
    """Put the nearest of the names that `message` allows in front of it."""
    names = _CHOICES.search(message)
    return (suggestion(value, names[1].split(", ")) if names and isinstance(value, str) else "") + message


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "did you mean ...? " where a known name is near, and nothing otherwise."""
    name = nearest(word, known)
    return f"did you mean '{name}'? " if name else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `word`; None where none is."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, 1)
    return by_lower[found[0]] if found else None


def _number(kind: str, value: Any, field: str) -> str:
    """Say why `value` is no number, guessing at what was meant."""
    if not isinstance(value, str):
        whole = isinstance(value, float) and value.is_integer()
        large = isinstance(value, int) and not isinstance(value, bool)
        return (
            "too large for a number" if large else f"must be {kind}{f'; write {value:.0f}' if whole else ''}"
        )
    text = value.strip()
    if text and not isinstance(yaml_reader.plain(text), str):
        return f"must be {kind}; write it without quotes"
    for pattern, hint in _HINTS:
        if match := pattern.fullmatch(text):
            return hint(match)
    if _WITH_UNIT.fullmatch(text):
        named = _FIELD_WITH_UNIT.search(field)
        return f"a plain number is needed{'; the unit is in the field' if named else ', without a unit'}" + (
            "'s name" if named else ""
        )
    return f"must be {kind}"


def _leading_zero(sign: str, digits: str) -> str:
    octal = not sign and not set(digits) - set("01234567")
    return f"a leading zero; write {sign}{digits}" + (f", or 0o{digits} for octal" if octal else "")


def _one_of(expected: str, value: Any) -> str:
    """Turn pydantic's "'a', 'b' or 'c'" into a list, with a suggestion."""
    names = re.findall(r"'([^']*)'", expected)
    message = (
        f"must be one of: {', '.join(names)}" if len(names) > 1 else f"must be {expected.strip(chr(39))}"
    )
    return with_suggestion(message, value)


def _form(pattern: str) -> str:
    return _PATTERNS.get(pattern, f"match {pattern}")


def _items(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _bound(limit: float) -> str:
    return str(int(limit)) if float(limit).is_integer() else str(limit)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
