"""What sources of published models share: their names, their weights, their number of classes."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated

from pydantic import Field

from models.errors import InputError
from models.sources import Base
from scenarios.settings import ExistingFile


class Published(Base):
    """Settings of an architecture whose weights are downloaded, or read from a file in their place."""

    checkpoint: ExistingFile | None = None
    """safetensors or a weights-only torch file, read in place of the published weights."""
    num_classes: Annotated[int, Field(ge=2)] | None = None
    """Needed where a checkpoint has another number of classes than the published weights."""

    def classes(self, model: str, published: int) -> int:
        """Return the number of classes; InputError where the `model` as published has others, or no classifier."""
        if self.checkpoint is None and self.num_classes not in (None, published):
            raise InputError(
                f"{model}: the published weights have {published} classes, not {self.num_classes}; "
                "a `checkpoint` may have others"
            )
        count = self.num_classes or published
        if count < 2:
            raise InputError(
                f"{model}: has no classifier as published; give `num_classes` and a `checkpoint` that has one"
            )
        return count


def unknown(model: str, name: str, known: Iterable[str], command: str) -> InputError:
    """Return the error of a `model` whose `name` is none of the `known` ones, which `command` lists."""
    near = get_close_matches(name.lower(), known, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InputError(f"{model}: there is no such model; {hint}allowed: the names in {command}")
