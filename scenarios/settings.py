"""The base of everything that a scenario file describes."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError


class Settings(BaseModel):
    """Frozen settings: unknown fields are mistakes, and text never passes for a number.

    Where a list is given for a tuple, the field says `strict=False`; its items stay strict. A field is described by
    the text below it, which is read only when somebody asks: it takes a third of the time to import the schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    shorthand: ClassVar[str | None] = None
    """The field for which a text stands that is given in the place of the mapping, if there is one."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the fields' descriptions to the JSON Schema."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_descriptions(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


@cache
def field_descriptions(settings: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field of a settings class and of the classes it builds on."""
    described: dict[str, str] = {}
    for cls in reversed(settings.__mro__):
        if not issubclass(cls, Settings) or cls is Settings:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
        except (OSError, TypeError):  # built at run time: there is no text
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                described[field.target.id] = inspect.cleandoc(text.value.value)
    return described


def existing_file(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path relative to the scenario's folder, given as validation context `folder`."""
    resolved, found = _resolve(path, info, "file", Path.is_file)
    if not found:
        raise PydanticCustomError("file_missing", "no such file: {path}", {"path": str(resolved)})
    return resolved


def existing_folder(path: Path, info: ValidationInfo) -> Path:
    """Resolve the path of a folder relative to the scenario's, as `existing_file` does that of a file."""
    resolved, found = _resolve(path, info, "folder", Path.is_dir)
    if not found:
        message = "a file, not a folder: {path}" if resolved.is_file() else "no such folder: {path}"
        raise PydanticCustomError("folder_missing", message, {"path": str(resolved)})
    return resolved


def _resolve(
    path: Path, info: ValidationInfo, kind: str, exists: Callable[[Path], bool]
) -> tuple[Path, bool]:
    """Return the whole path, and whether what is there is of its kind; ValueError where no path can be so."""
    folder: Path = (info.context or {}).get("folder", Path())
    try:
        resolved = (folder / path.expanduser()).resolve()
        return resolved, exists(resolved)
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links, no such home
        raise ValueError(f"not the path of a {kind}: {error}") from error


def number_text(value: float) -> str:
    """Return a number with all the digits that tell it from others, as short as can be."""
    return repr(float(value)).removesuffix(".0")


def increasing(times: tuple[float, ...]) -> tuple[float, ...]:
    """Return times as they are; ValueError unless each is later than the one before."""
    for before, after in pairwise(times):
        if after <= before:
            raise ValueError(f"must increase, but {number_text(before)} is followed by {number_text(after)}")
    return times


ExistingFile = Annotated[Path, Field(strict=False), AfterValidator(existing_file)]
"""A file named relative to the scenario's folder; an error where it does not exist."""
ExistingFolder = Annotated[Path, Field(strict=False), AfterValidator(existing_folder)]
"""A folder named relative to the scenario's folder; an error where it does not exist."""

Positive = Annotated[float, Field(gt=0)]
"""A float above zero; `.inf` stands for no limit."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

LONGEST_S = 1e9
"""Thirty years. Beyond what anybody simulates, and where nanoseconds are still whole numbers of a sensible size."""
FASTEST_MBPS = 1e9
"""A petabit per second: more is as good as no limit."""
MOST_BYTES = 10**9
"""A gigabyte: of headers, overheads and the like of one packet or message."""

Duration = Annotated[float, Field(le=LONGEST_S, allow_inf_nan=False)]
"""Seconds; whoever uses it says what the least is."""
Seconds = Annotated[Duration, Field(ge=0)]
"""Seconds from 0 on."""
Milliseconds = Annotated[float, Field(ge=0, le=1000 * LONGEST_S, allow_inf_nan=False)]
"""Milliseconds from 0 on."""
FiniteMbps = Annotated[float, Field(le=FASTEST_MBPS, allow_inf_nan=False)]
"""10^6 bits per second; whoever uses it says what the least is."""
Bytes = Annotated[int, Field(ge=0, le=MOST_BYTES)]
"""Bytes from 0 on."""


def at_most(most: float, stands_for: str) -> AfterValidator:
    """Return what allows a number up to `most`, and `.inf`, which stands for something."""

    def check(value: float) -> float:
        if most < value < math.inf:
            raise ValueError(f"must be at most {number_text(most)}, or .inf for {stands_for}")
        return value

    return AfterValidator(check)


Limit = Annotated[Positive, at_most(FASTEST_MBPS, "no limit")]
"""10^6 bits per second; `.inf` stands for no limit."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
"""Letters, digits, '.', '_' and '-': it becomes part of file names."""
