"""ImageNet-R: renditions of 200 of ImageNet's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from models.datasets import Base
from scenarios.settings import ExistingFolder

if TYPE_CHECKING:
    from models.datasets._files import ImageFiles


class ImageNetR(Base):
    """`{imagenet_r: DIR}`: paintings, toys, sketches ... (Hendrycks et al., https://arxiv.org/abs/2006.16241).

    DIR has one sub-folder for each class, named as in ImageNet (n01443537). Models keep their 1000 classes, of which
    those that the data set has take part.
    """

    imagenet_r: ExistingFolder
    size: Annotated[int, Field(ge=1)] = 256
    """The shorter side is resized to this many pixels (bicubic) and the centre is kept as a square."""

    def load(self) -> ImageFiles:
        """List the files; raises InputError where there are none, or a sub-folder is none of ImageNet's classes."""
        from models.datasets import _files, _imagenet, _listing  # noqa: PLC0415

        listing = _listing.find(self.imagenet_r)
        return _files.photographs(listing, self.size, _imagenet.classes(self.imagenet_r, listing.folders))
