"""Profiles: the figures of real devices, links and accelerators, each with its source, as settings that name one.

A packaged profile is a file in `profiles/<kind>/`, one for each device or link, found under the file's name. A
scenario may name a file of its own instead, in the same form.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import (
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from scenarios import sentences, yaml_reader
from scenarios.settings import Settings

LIBRARY = Path(__file__).parent / "profiles"
SUFFIXES = (".yaml", ".yml")
"""What the name of a file ends with; everything else is the name of a packaged profile."""


class ProfileError(ValueError):
    """There is no such profile, or its file is at fault."""


class Figure(NamedTuple):
    """The value of one field, and where it comes from; a profile of one's own may leave the source empty."""

    value: Any
    source: str


class Profile(NamedTuple):
    """What a profile's file says: a description, and a figure for each field that it gives, as it is written there.

    `values` has them without their sources, as settings take them: paths in them are whole.
    """

    description: str
    figures: dict[str, Figure]
    values: dict[str, Any]


class Profiled(Settings):
    """Settings whose figures a profile can give; what stands beside its name takes precedence."""

    profiles: ClassVar[str]
    """The kind of profile: the folder of the packaged ones."""
    shorthand: ClassVar[str | None] = "profile"

    profile: str | None = None
    """Gives every field that is not given here: the name of a packaged profile, or a .yaml file in the same form,
    relative to the scenario. `cema list devices`, `links` and `accelerators` show the names, docs/profiles.md where
    each figure comes from. The name alone stands for a mapping with it: `compute: raspberry-pi-4`."""

    @model_validator(mode="before")
    @classmethod
    def _take_over(cls, data: Any, info: ValidationInfo) -> Any:
        """Put the profile's figures where none are given; what is wrong with it is told at `profile`."""
        given = {"profile": data} if isinstance(data, str) else data
        if not isinstance(given, dict) or not isinstance(given.get("profile"), str):
            return given
        try:
            return load(cls, given["profile"], _folder(info)).values | given
        except ProfileError:
            return given

    @field_validator("profile")
    @classmethod
    def _is_readable(cls, profile: str | None, info: ValidationInfo) -> str | None:
        """Make a file's path whole, so that the resolved scenario can be read from everywhere."""
        if profile is None:
            return None
        try:
            load(cls, profile, _folder(info))
        except ProfileError as error:
            raise PydanticCustomError("profile", "{problem}", {"problem": str(error)}) from error
        return str(_resolved(profile, _folder(info))) if _is_file(profile) else profile

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Allow the profile's name alone, and let a profile lift what is required otherwise."""
        schema = super().__get_pydantic_json_schema__(core, handler)
        described = handler.resolve_ref_schema(schema)
        described["type"] = ["object", "string"]
        described["properties"]["profile"]["examples"] = list(names(cls.profiles))
        required = described.pop("required", [])
        described["anyOf"] = [{"required": required}, {"required": ["profile"]}]
        return schema


def names(kind: str) -> tuple[str, ...]:
    """Return the names of the packaged profiles of a kind, sorted."""
    return tuple(sorted(path.stem for path in (LIBRARY / kind).glob("*.yaml")))


def packaged(settings: type[Profiled], name: str) -> Profile:
    """Return a packaged profile; KeyError where there is none of that name."""
    if name not in names(settings.profiles):
        raise KeyError(f"{name!r} is not in {settings.profiles}: {', '.join(names(settings.profiles))}")
    return _packaged(settings, name)


def load(settings: type[Profiled], profile: str, folder: Path) -> Profile:
    """Return a packaged profile by its name, or that in a file relative to `folder`; ProfileError otherwise."""
    if _is_file(profile):
        return _read(settings, _resolved(profile, folder))
    known = names(settings.profiles)
    if profile not in known:
        raise ProfileError(f"must be the path of a .yaml file, or one of: {', '.join(known)}")
    return _packaged(settings, profile)


@cache
def _packaged(settings: type[Profiled], name: str) -> Profile:
    return _read(settings, LIBRARY / settings.profiles / f"{name}.yaml")


def _read(settings: type[Profiled], path: Path) -> Profile:
    """Read a profile's file and check that it holds what `settings` need; paths in it are relative to its folder."""
    try:
        document = yaml_reader.read(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ProfileError(f"no such file: {path}") from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8 text") from error
    except yaml_reader.UnreadableError as error:
        raise ProfileError(f"{path}:{error.line}:{error.column}: {error}") from error
    for problem in document.problems:
        raise ProfileError(f"{path}:{problem.line}: {'.'.join(map(str, problem.path))}: {problem.text}")
    fields = [field for field in settings.model_fields if field != "profile"]
    if not isinstance(document.data, dict):
        raise ProfileError(f"{path}: must be a mapping with the fields: description, {', '.join(fields)}")
    given = dict(document.data)
    description = str(given.pop("description", ""))
    figures = {field: _figure(value) for field, value in given.items()}
    for field in figures:
        if field not in fields:
            where = f"{path}:{document.lines[field,]}: unknown field '{field}'"
            raise ProfileError(f"{where}; {sentences.suggestion(field, fields)}allowed: {', '.join(fields)}")
    values = {field: figure.value for field, figure in figures.items()}
    try:
        valid = settings.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field, value = str(first["loc"][0]), first["input"]
        if first["type"] == "missing":
            raise ProfileError(f"{path}: {field}: missing") from error
        told = f"{sentences.shown(value)}: {sentences.sentence(first, value, field)}"
        raise ProfileError(f"{path}:{document.lines[field,]}: {field}: {told}") from error
    return Profile(description, figures, valid.model_dump(include=set(figures)))


def _figure(given: Any) -> Figure:
    """Read {value, source}; a value alone is one without a source."""
    if isinstance(given, dict) and "value" in given and given.keys() <= {"value", "source"}:
        return Figure(given["value"], str(given.get("source") or ""))
    return Figure(given, "")


def _is_file(profile: str) -> bool:
    return profile.endswith(SUFFIXES)


def _folder(info: ValidationInfo) -> Path:
    """Return the scenario's folder, which the validation context gives; without one, the present folder."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder


def _resolved(profile: str, folder: Path) -> Path:
    try:
        return (folder / Path(profile).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, no such home, a null byte
        raise ProfileError(f"not the path of a file: {error}") from error
