"""CIFAR-10-C: CIFAR-10's test images under 15 corruptions of 5 severities, as stored arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.datasets import Base
from scenarios.settings import ExistingFile, ExistingFolder

if TYPE_CHECKING:
    from models.datasets._stored import StoredConditions


class Cifar10C(Base):
    """`{cifar10_c: DIR}`: common corruptions (Hendrycks and Dietterich, https://arxiv.org/abs/1903.12261).

    DIR has `<corruption>.npy`, uint8 (5 N, 32, 32, 3), with the N images of each severity after those of the milder
    one, and `labels.npy`, (5 N,). A shift of the schedule is answered with the images stored for it. CIFAR-100-C has
    the same files.
    """

    cifar10_c: ExistingFolder
    clean: ExistingFile | None = None
    """An archive (.npz) of the clean images in the same order, for shifts without corruption."""

    def load(self) -> StoredConditions:
        """Map the arrays, whose images stay on disk; raises InputError where one has another type or shape."""
        from models.datasets import _cifar  # noqa: PLC0415

        return _cifar.read(self.cifar10_c, self.clean)
