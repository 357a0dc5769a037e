"""ImageNet-C: ImageNet's validation images under 15 corruptions of 5 severities, as stored files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.datasets import Base
from scenarios.settings import ExistingFolder

if TYPE_CHECKING:
    from models.datasets._stored import StoredConditions


class ImageNetC(Base):
    """`{imagenet_c: DIR}`: common corruptions (Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261).

    DIR has `corruption/severity/class/file`, such as `fog/3/n01440764/ILSVRC2012_val_00000293.JPEG`; it may hold some
    of the corruptions, severities and classes. A shift of the schedule is answered with the stored files of its
    corruption and severity.
    """

    imagenet_c: ExistingFolder
    clean: ExistingFolder | None = None
    """Clean images, `class/file` with the same names, for shifts without corruption: ImageNet's validation set."""

    def load(self) -> StoredConditions:
        """List the files of one condition; those of others are compared with it when they are first asked for.

        Raises InputError where there are none, or a class folder is none of ImageNet's.
        """
        from models.datasets import _imagenet_c  # noqa: PLC0415

        return _imagenet_c.read(self.imagenet_c, self.clean)
