"""What pydantic finds wrong with a draft, as places and sentences of the user's own file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

from scenarios import references, structure
from scenarios.overrides import Draft
from scenarios.sentences import nearest, sentence, suggestion, with_suggestion
from scenarios.settings import field_descriptions
from scenarios.structure import ABSENT, Place
from scenarios.yaml_reader import Path

_SENTENCE_END = re.compile(r"[.;:] |[.]?\n|[.]$")


class Mistake(NamedTuple):
    """One thing wrong: where, what stands there (ABSENT: nothing to be shown), and why it cannot."""

    path: Path
    value: Any
    text: str


def explain(draft: Draft, errors: Iterable[ErrorDetails]) -> list[Mistake]:
    """Return a mistake for each error, but for those that only echo another one."""
    errors = list(errors)
    elsewhere = [
        each for error in errors if error["type"] == references.ERROR for each in error["ctx"]["mismatches"]
    ]
    found = [
        (error, structure.locate(draft.root, draft.data, error["loc"]))
        for error in errors
        if error["type"] != references.ERROR
    ]
    misspelt = {
        (*place.path[:-1], nearest(str(place.path[-1]), structure.fields(place.owner)))
        for error, place in found
        if error["type"] == "extra_forbidden"
    }
    without_profile = [error["loc"][:-1] for error, _ in found if error["type"] == "profile"]
    return [
        _WAYS.get(error["type"], _wrong_value)(error, place, draft.value(place.path))
        for error, place in found
        if not (error["type"] == "missing" and place.path in misspelt)
        and not (error["type"] == "missing" and error["loc"][:-1] in without_profile)
        and not (error["type"] == "too_short" and _is_long_enough(error))
    ] + [Mistake(path, ABSENT, text) for path, text in elsewhere]


def _missing(_: ErrorDetails, place: Place, __: Any) -> Mistake:
    return Mistake(place.path, ABSENT, f"missing{_meaning(place)}")


def _unknown_field(_: ErrorDetails, place: Place, __: Any) -> Mistake:
    name, allowed = str(place.path[-1]), structure.fields(place.owner)
    if name in place.rivals:
        return Mistake(place.path, ABSENT, f"only one of these can be given: {', '.join(place.rivals)}")
    inside = next(
        (key for key in allowed if name in structure.fields(structure.child(place.owner, key))), None
    )
    hint = f"it belongs in `{inside}`; " if inside else suggestion(name, allowed)
    return Mistake(place.path, ABSENT, f"unknown field '{name}'; {hint}allowed: {', '.join(allowed)}")


def _no_mapping(_: ErrorDetails, place: Place, value: Any) -> Mistake:
    names = ", ".join(structure.fields(place.declared))
    return Mistake(place.path, value, f"must be a mapping with the fields: {names}")


def _unknown_choice(error: ErrorDetails, place: Place, value: Any) -> Mistake:
    """Point at the name that a mapping chooses by, where it gives one."""
    field = structure.selector(place.declared)
    names = [
        name for name, declared in structure.choices(place.declared).items() if structure.fields(declared)
    ]
    one_of = f"must be one of: {', '.join(names)}"
    if field is not None and isinstance(value, dict) and field in value:
        return Mistake((*place.path, field), value[field], with_suggestion(one_of, value[field]))
    if field is not None and isinstance(value, str):
        return Mistake(place.path, value, with_suggestion(one_of, value))
    hints = (suggestion(key, names) for key in value) if isinstance(value, dict) else ()
    return Mistake(place.path, value, next(filter(None, hints), "") + error["msg"])


def _wrong_value(error: ErrorDetails, place: Place, value: Any) -> Mistake:
    if error["loc"][-1:] == ("[key]",):
        name = str(place.path[-1])
        return Mistake(place.path, ABSENT, f"the name {sentence(error, name, name)}")
    field = next((part for part in reversed(place.path) if isinstance(part, str)), "")
    # A mapping or list is shown only where it should not be one: otherwise its fields are what matters.
    hidden = isinstance(value, dict | list) and not error["type"].endswith("_type")
    text = sentence(error, value, field)
    if error["type"] == "float_type" and text == "must be a number":  # of what is nearly one, more is told
        text = _or_a_choice(place, value, text)
    if error["type"] == "string_type" and not isinstance(value, bool | int | float):
        text += _meaning(place)
    return Mistake(place.path, ABSENT if hidden else value, text)


def _or_a_choice(place: Place, value: Any, text: str) -> str:
    """Say what else but a number can stand at a place, where there is a choice."""
    choice = structure.child(place.owner, place.path[-1])
    selector = structure.selector(choice)
    names = [name for name, declared in structure.choices(choice).items() if structure.fields(declared)]
    if selector is None or not names:
        return text
    near = nearest(value, names) if isinstance(value, str) else None
    hint = f"did you mean {{{selector}: {near}}}? " if near else ""
    return f"{hint}{text}, or a mapping whose `{selector}` is one of: {', '.join(names)}"


_WAYS: dict[str, Callable[[ErrorDetails, Place, Any], Mistake]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_field,
    "model_type": _no_mapping,
    "model_attributes_type": _no_mapping,
    "unknown_choice": _unknown_choice,
}


def _meaning(place: Place) -> str:
    """Return what a missing field is for, in brackets: its choices, or the start of its description."""
    names = structure.choices(place.declared) or structure.choices(structure.item(place.declared))
    if names and all(map(structure.fields, names.values())):
        keyed = structure.item(place.declared) is None and structure.selector(place.declared) is None
        return f" ({'a mapping with one of the keys' if keyed else 'one of'}: {', '.join(names)})"
    owner, declared = structure.settings(place.owner), structure.settings(place.declared)
    about = field_descriptions(owner).get(str(place.path[-1])) if owner else None
    if about is None and declared:
        about = declared.__doc__
    return f" ({_SENTENCE_END.split(about.strip())[0]})" if about else ""


def _is_long_enough(error: ErrorDetails) -> bool:
    """Tell whether pydantic only counted a list's faultless items; the others have mistakes of their own."""
    return len(error["input"]) >= int(error["ctx"]["min_length"])
