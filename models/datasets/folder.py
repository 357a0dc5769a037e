"""A folder of image files with one sub-folder for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.datasets import Base
from scenarios.settings import ExistingFolder

if TYPE_CHECKING:
    from models.datasets._files import ImageFiles


class Folder(Base):
    """`{folder: DIR}`, relative to the scenario's folder; classes are numbered in the order of their names."""

    folder: ExistingFolder
    size: Annotated[int, Field(ge=1)] = 256
    """The shorter side is resized to this many pixels (bicubic) and the centre is kept as a square."""
    classes: Literal["imagenet"] | None = None
    """`imagenet` where sub-folders bear ImageNet's names (n01440764): they are numbered as among its 1000 classes."""

    def load(self) -> ImageFiles:
        """List the files; raises InputError where there are none or, under `imagenet`, names of other classes."""
        from models.datasets import _files, _imagenet, _listing  # noqa: PLC0415

        listing = _listing.find(self.folder)
        classes = None if self.classes is None else _imagenet.classes(self.folder, listing.folders)
        return _files.photographs(listing, self.size, classes)
