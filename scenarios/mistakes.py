"""What pydantic finds wrong, in plain words for whoever wrote the scenario."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from scenarios import structure, yaml_reader
from scenarios.overrides import Draft
from scenarios.structure import ABSENT, Place
from scenarios.yaml_reader import Path

_NUMBERS = {"float_type": "a number", "int_type": "a whole number", "int_from_float": "a whole number"}
_TYPES = {
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "path_type": "the path of a file",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}
_COUNTS: dict[str, Callable[[Any], str]] = {
    "too_short": lambda context: f"must have {_at_least(context['min_length'], context['field_type'])}",
    "too_long": lambda context: f"must have at most {context['max_length']} items",
    "string_too_short": lambda context: f"must have at least {context['min_length']} characters",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
}
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "a letter or digit, then only letters, digits, '.', '_' and '-'",
    r"^[^:]+:[A-Za-z_]\w*$": "`module:function` or `file.py:function`",
}

_CHOICES = re.compile(r"(?:one of|one of the keys): (.+)$")
_LEADING_ZERO = re.compile(r"([-+]?)0+([0-9]+)(\.[0-9]*)?")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?")
_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_LARGE = re.compile(r"[-+]?[0-9.]+([eE]\+?[0-9]+)?")
_WITH_UNIT = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*[A-Za-zµ%][\w/^%]*|[0-9]+(:[0-9]+)+(\.[0-9]*)?")
_UNITS = re.compile(r"(_s|_ms|_hz|_mbps|_bytes|gflops)$")


class Mistake(NamedTuple):
    """One thing wrong: where, what stands there (ABSENT: nothing to be shown), and why it cannot."""

    path: Path
    value: Any
    text: str


def explain(draft: Draft, errors: Iterable[ErrorDetails]) -> list[Mistake]:
    """Return a mistake for each error, but for those that only echo another one."""
    found = [(error, structure.locate(draft.root, draft.data, error["loc"])) for error in errors]
    misspelt = {
        (*place.path[:-1], guess)
        for error, place in found
        if error["type"] == "extra_forbidden"
        for guess in _nearest(str(place.path[-1]), structure.fields(place.owner))
    }
    return [
        _mistake(error, place, draft.value(place.path))
        for error, place in found
        if not (error["type"] == "missing" and place.path in misspelt)
        and not (error["type"] == "too_short" and _has_wrong_items(error, draft.value(place.path)))
    ]


def shown(value: Any) -> str:
    """Return a value as it would stand in a scenario, on one line and cut where it is long."""
    if value is None:
        return "null (nothing is given)"
    if isinstance(value, str) and value.isprintable() and isinstance(yaml_reader.plain(value), str):
        return _cut(value)
    return _cut(
        yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").strip()
    )


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "did you mean ...? " where a known name is near."""
    return "".join(f"did you mean '{name}'? " for name in _nearest(word, known))


def _mistake(error: ErrorDetails, place: Place, value: Any) -> Mistake:
    kind = error["type"]
    if kind == "missing":
        return Mistake(place.path, ABSENT, f"missing{_meaning(place)}")
    if kind == "extra_forbidden":
        return Mistake(place.path, ABSENT, _unknown_field(str(place.path[-1]), place.owner))
    if error["loc"][-1:] == ("[key]",):
        return Mistake(place.path, ABSENT, f"the name {_text(error, place.path[-1])}")
    if kind in ("model_type", "model_attributes_type"):
        names = ", ".join(structure.fields(place.declared))
        return Mistake(place.path, value, f"must be a mapping with the fields: {names}")
    if kind == "unknown_choice":
        return _unknown_choice(error, place, value)
    if kind in _NUMBERS:
        return Mistake(place.path, value, _number(_NUMBERS[kind], value, str(place.path[-1])))
    whole = value if place.path else ABSENT  # what concerns the whole file shows no value
    return Mistake(place.path, ABSENT if isinstance(whole, dict | list) else whole, _text(error, value))


def _text(error: ErrorDetails, value: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{words} {_bound(context[key])}"
    if kind in _COUNTS:
        return _COUNTS[kind](context)
    if kind in _TYPES:
        quotes = kind == "string_type" and isinstance(value, bool | int | float)
        return f"must be {_TYPES[kind]}{'; put it in quotes' if quotes else ''}"
    if kind == "finite_number":
        return "must be a finite number"
    if kind == "string_pattern_mismatch":
        return f"must be {_PATTERNS.get(context['pattern'], 'text that matches ' + context['pattern'])}"
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        return _with_suggestion(
            f"must be one of: {', '.join(names)}" if len(names) > 1 else f"must be {names[0]}", value
        )
    message = error["msg"].removeprefix("Value error, ").replace("Input should ", "must ")
    return _with_suggestion(message, value)


def _number(kind: str, value: Any, field: str) -> str:
    """Say why `value` is no number, guessing at what was meant."""
    if isinstance(value, float) and value.is_integer():
        return f"must be {kind}; write {int(value)}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "too large for a number"
    if not isinstance(value, str):
        return f"must be {kind}"
    text = value.strip()
    if not isinstance(yaml_reader.plain(text), str) and text:
        return f"must be {kind}; write it without quotes"
    if match := _LEADING_ZERO.fullmatch(text):
        sign, digits, fraction = match[1], match[2], match[3] or ""
        octal = not fraction and not sign and not set(digits) & {"8", "9"}
        return f"a leading zero; write {sign}{digits}{fraction}" + (
            f", or 0o{digits} for octal" if octal else ""
        )
    if _UNDERSCORES.fullmatch(text):
        return f"must be {kind}; write {text.replace('_', '')}, without underscores"
    if _COMMA.fullmatch(text):
        return f"must be {kind}; write {text.replace(',', '.')}, with a decimal point"
    if text.lstrip("+-").lower() in ("inf", "infinity"):
        return f"must be {kind}; infinity is written .inf"
    if _WITH_UNIT.fullmatch(text):
        return "a plain number is needed" + (
            "; the unit is in the field's name" if _UNITS.search(field) else ", without a unit"
        )
    return "too large for a number" if _LARGE.fullmatch(text) else f"must be {kind}"


def _unknown_field(name: str, owner: Any) -> str:
    allowed = structure.fields(owner)
    inside = next((key for key in allowed if name in structure.fields(structure.child(owner, key))), None)
    hint = f"it belongs in `{inside}`; " if inside else suggestion(name, allowed)
    return f"unknown field '{name}'; {hint}allowed: {', '.join(allowed)}"


def _unknown_choice(error: ErrorDetails, place: Place, value: Any) -> Mistake:
    """Point at the name that a mapping chooses by, where it gives one."""
    field, names = structure.selector(place.declared), structure.choices(place.declared)
    if field is not None and isinstance(value, dict) and field in value:
        given = value[field]
        return Mistake(
            (*place.path, field), given, _with_suggestion(f"must be one of: {', '.join(names)}", given)
        )
    if field is not None and isinstance(value, str):
        return Mistake(place.path, value, _with_suggestion(f"must be one of: {', '.join(names)}", value))
    near = [suggestion(key, names) for key in value] if isinstance(value, dict) else []
    return Mistake(place.path, value, max([*near, ""], key=len) + error["msg"])


def _with_suggestion(message: str, value: Any) -> str:
    names = _CHOICES.search(message)
    return (suggestion(value, names[1].split(", ")) if names and isinstance(value, str) else "") + message


def _nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return the known name that is most like `word`, in a list of one or none."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[found] for found in difflib.get_close_matches(word.lower(), by_lower, 1)]


def _meaning(place: Place) -> str:
    """Return what a missing field is for, in brackets: its choices, or the first sentence of its description."""
    names = structure.choices(place.declared) or structure.choices(structure.item(place.declared))
    info = structure.fields(place.owner).get(str(place.path[-1]))
    about = info.description if info else None
    if names:
        keyed = structure.selector(place.declared) is None and not structure.item(place.declared)
        about = f"{'a mapping with one of the keys' if keyed else 'one of'}: {', '.join(names)}"
    elif about is None and isinstance(place.declared, type) and issubclass(place.declared, BaseModel):
        about = place.declared.__doc__
    return f" ({re.split(r'[.;:] |[.]?\n|[.]$', about)[0] if not names else about})" if about else ""


def _has_wrong_items(error: ErrorDetails, value: Any) -> bool:
    """Tell whether a list is long enough, and pydantic only counted its faultless items."""
    return isinstance(value, list | dict) and len(value) >= error["ctx"]["min_length"]


def _at_least(count: int, kind: str) -> str:
    noun = "entry" if kind == "Dictionary" else "item"
    return f"at least {count} {noun if count == 1 else noun.replace('entry', 'entrie') + 's'}"


def _bound(limit: float) -> str:
    return str(int(limit)) if float(limit).is_integer() else str(limit)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
