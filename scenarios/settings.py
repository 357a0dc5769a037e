"""The base of everything that a scenario file describes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """Frozen settings: unknown fields are mistakes, and text never passes for a number.

    Where a list is given for a tuple, the field says `strict=False`; its items stay strict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def _existing_file(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path relative to the scenario's folder, given as validation context `folder`."""
    folder: Path = (info.context or {}).get("folder", Path())
    try:
        resolved = (folder / path.expanduser()).resolve()
        found = resolved.is_file()
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links, no such home
        raise ValueError(f"not the path of a file: {error}") from error
    if not found:
        raise PydanticCustomError("file_missing", "no such file: {path}", {"path": str(resolved)})
    return resolved


ExistingFile = Annotated[Path, Field(strict=False), AfterValidator(_existing_file)]
"""A file named relative to the scenario's folder; an error where it does not exist."""

Positive = Annotated[float, Field(gt=0)]
"""A float above zero; `.inf` stands for no limit."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
