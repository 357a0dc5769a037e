"""The scenario's structure as its types declare it: the fields of a place, and where an error lies."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from scenarios.settings import Settings
from scenarios.yaml_reader import Path

ABSENT: Any = object()
"""Stands for a value that is not given; null is a value."""


class Place(NamedTuple):
    """Where a mistake lies in the user's data, and what may stand there."""

    path: Path
    owner: Any
    """The type of the mapping or list that holds the place."""
    declared: Any
    """The place's own type; None where there is no such field."""
    rivals: tuple[str, ...] = ()
    """Names of the choice that `owner` was chosen from."""


def locate(root: Any, data: Any, location: tuple[str | int, ...]) -> Place:
    """Follow a pydantic location through `root` and the user's `data`.

    The path leaves out what pydantic adds: the tag of a choice, the position in a list that the user gave as
    a single value, the field for which a bare name stands, and the mark of a key.
    """
    path: Path = ()
    owner, declared, value = None, root, data
    rivals: tuple[str, ...] = ()
    of_the_owner: tuple[str, ...] = ()
    for part in location:
        if part == "[key]":
            break
        tags = choices(declared)
        if part in tags:
            declared, rivals = tags[str(part)], tuple(tags)
            continue
        if item(declared) is not None and not isinstance(value, list):
            declared = item(declared)
        elif isinstance(value, str) and part == selector(declared):
            owner, declared = declared, child(declared, part)
        else:
            owner, declared = declared, child(declared, part)
            path, value = (*path, part), get(value, part)
            of_the_owner, rivals = rivals, ()
    return Place(path, owner, declared, of_the_owner)


def get(value: Any, part: str | int) -> Any:
    """Return one entry of a mapping or list; ABSENT where there is none."""
    if isinstance(value, dict):
        return value.get(part, ABSENT)
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return value[part]
    return ABSENT


def choices(declared: Any) -> dict[str, type[BaseModel]]:
    """Return the settings that a choice offers, by name; nothing where the type is no choice."""
    if get_origin(declared) is Annotated:
        tag = next((mark.tag for mark in declared.__metadata__ if isinstance(mark, Tag)), None)
        return {tag: declared.__origin__} if tag else choices(declared.__origin__)
    if get_origin(declared) in (Union, UnionType):
        return {tag: cls for member in get_args(declared) for tag, cls in choices(member).items()}
    return {}


def selector(declared: Any) -> str | None:
    """Return the field for which a bare name stands, as `codec` or `profile`; None where there is none."""
    for tag, cls in choices(declared).items():
        if fields(cls):  # a choice can offer a number too
            return next((name for name, info in cls.model_fields.items() if info.default == tag), None)
    bare = _bare(declared)
    return bare.shorthand if isinstance(bare, type) and issubclass(bare, Settings) else None


def chosen(declared: Any, value: Any) -> Any:
    """Return the type that `value` chooses; the type itself if it is no choice, None if unknown."""
    tags = choices(declared)
    if not tags or not isinstance(value, Mapping):
        return declared
    field = selector(declared)
    name = next((key for key in tags if key in value), None) if field is None else value.get(field)
    return tags.get(name) if isinstance(name, str) else None


def settings(declared: Any) -> type[BaseModel] | None:
    """Return the settings that a type stands for, perhaps beside None; None where it is something else."""
    bare = _bare(declared)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def fields(declared: Any) -> dict[str, FieldInfo]:
    """Return the fields of settings; nothing where the type is something else."""
    found = settings(declared)
    return found.model_fields if found else {}


def item(declared: Any) -> Any:
    """Return the type of a list's items; None where the type is no list."""
    bare = _bare(declared)
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def child(declared: Any, part: str | int) -> Any:
    """Return the type of one field, list item or mapping value; None where there is none."""
    if part in fields(declared):
        return fields(declared)[str(part)].rebuild_annotation()
    bare = _bare(declared)
    if get_origin(bare) is dict:
        return get_args(bare)[1]
    return item(declared)


def default(declared: Any, part: str | int) -> Any:
    """Return the name that a field chooses where it is not given; ABSENT for every other field."""
    info = fields(declared).get(str(part))
    return info.default if info and isinstance(info.default, str) else ABSENT


def _bare(declared: Any) -> Any:
    """Return the type without its annotations, and without None where it is optional."""
    while True:
        members = [member for member in get_args(declared) if member is not type(None)]
        if get_origin(declared) is Annotated:
            declared = declared.__origin__
        elif get_origin(declared) in (Union, UnionType) and len(members) == 1:
            declared = members[0]
        else:
            return declared
