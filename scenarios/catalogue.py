"""What a scenario may name: a room is a folder of Python files, and each file adds one thing under its name.

Adding a strategy, a codec, a data set, ... means adding a file; nothing else is edited. Files that begin with
an underscore hold shared parts. Names are the files' names, so listing them imports nothing.
"""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Discriminator, Tag, create_model

from scenarios.settings import Settings

STRATEGIES = "models.strategies"
CODECS = "models.codecs"
UPDATE_CODECS = "models.update_codecs"
DATASETS = "models.datasets"
MODELS = "models.sources"
CORRUPTIONS = "models.corruptions"
CRITERIA = "models.criteria"
BANDWIDTHS = "sim.bandwidths"
LATENCIES = "sim.latencies"
RANKS = "models.ranks"
DISCIPLINES = "sim.disciplines"


@cache
def names(room: str) -> tuple[str, ...]:
    """Return the names in `room`, sorted, without importing the files behind them."""
    found = pkgutil.iter_modules(import_module(room).__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


def module(room: str, name: str) -> Any:
    """Import the file behind `name`; raises KeyError where the room has none."""
    if name not in names(room):
        raise KeyError(f"{name!r} is not in {room}: {', '.join(names(room))}")
    return import_module(f"{room}.{name}")


def settings_class(room: str, name: str) -> type[Settings]:
    """Return the settings class that the file behind `name` defines; TypeError unless it is exactly one."""
    file = module(room, name)
    base: type[Settings] = import_module(room).Base
    found: list[type[Settings]] = [
        value
        for value in vars(file).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == file.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{file.__name__} must define exactly one {base.__name__}, not {len(found)}")
    return found[0]


def tagged_by_field(room: str, field: str) -> Any:
    """Build the type of a choice among the room's settings whose `field` holds the name, as in {codec: jpeg}.

    A bare name stands for its settings with all defaults.
    """

    def tag(value: Any) -> Any:
        return value.get(field) if isinstance(value, dict) else getattr(value, field, None)

    def expand(value: Any) -> Any:
        return {field: value} if isinstance(value, str) else value

    choice = _choice(room, tag, f"`{field}` must be one of: {', '.join(names(room))}")
    bare = Literal[tuple(names(room))]  # type: ignore[valid-type]  # built at run time
    return Annotated[choice, BeforeValidator(expand, json_schema_input_type=choice | bare)]


def number_or(number: Any, room: str, field: str) -> Any:
    """Build the type of a number, or of a choice among the room's settings whose `field` holds the name."""

    def tag(value: Any) -> Any:
        return value.get(field) if isinstance(value, dict) else getattr(value, field, "number")

    message = f"must be a number, or a mapping whose `{field}` is one of: {', '.join(names(room))}"
    return _choice(room, tag, message, Annotated[number, Tag("number")])


def tagged_by_key(room: str) -> Any:
    """Build the type of a choice among the room's settings by the field of their name, as in {npz: FILE}."""

    def tag(value: Any) -> Any:
        keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
        return next((name for name in names(room) if name in keys), None)

    return _choice(room, tag, f"must be a mapping with one of the keys: {', '.join(names(room))}")


def switches(room: str, title: str) -> Any:
    """Build settings with one optional field for each name in the room, ordered by the settings' `order`.

    A name that is left out or null is switched off.
    """
    classes = {name: settings_class(room, name) for name in names(room)}
    ordered = sorted(classes, key=lambda name: getattr(classes[name], "order", 0))
    fields: dict[str, Any] = {name: (classes[name] | None, None) for name in ordered}
    return create_model(title, __base__=Settings, **fields)


def _choice(room: str, tag: Any, message: str, *others: Any) -> Any:
    members = [*others, *(Annotated[settings_class(room, name), Tag(name)] for name in names(room))]
    return Annotated[
        Union[tuple(members)],  # noqa: UP007 - built at run time
        Discriminator(tag, custom_error_type="unknown_choice", custom_error_message=message),
    ]
