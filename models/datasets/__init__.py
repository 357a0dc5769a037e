"""Data sets: labelled images that devices' streams draw from. One file for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scenarios.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Condition = tuple[str, int]
"""A corruption's name and its severity; ("none", 0) for clean images."""


class DataSet(Protocol):
    """Labelled images of one size, in memory or on disk."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of every image, int64 (N,), each in [0, number of classes)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of every image, with C = 1 or 3."""

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """Where the labels are a subset of a model's classes: the model's class of each label; None otherwise."""

    @property
    def cropped(self) -> bool:
        """Whether an image is already the part that a model should see, so that models only resize it."""

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the images that can be read, uint8 (m, H, W, C), and which of the indices (n,) they are, bool (n,)."""

    def damaged(self, indices: NDArray[np.int64]) -> dict[str, str]:
        """Return those of the files read so far behind the indices that could not be, by path, with the reason."""


@dataclass(frozen=True)
class Images:
    """A data set in memory.

    Attributes:
        images: uint8 (N, H, W, C) with C = 1 or 3.
        labels: int64 (N,), each in [0, number of classes).

    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: NDArray[np.int64] | None = None
    cropped: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of every image."""
        height, width, channels = self.images.shape[1:]
        return int(height), int(width), int(channels)

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the images at the indices; every one can be read."""
        import numpy as np  # noqa: PLC0415

        return self.images[indices], np.ones(len(indices), np.bool_)

    def damaged(self, indices: NDArray[np.int64]) -> dict[str, str]:
        """Return nothing: every image can be read."""
        return {}


class Base(Settings):
    """Settings of a data set; `load` reads it."""

    def load(self) -> DataSet:
        """Read the data set; raises models.errors.InputError where the file is not as described."""
        raise NotImplementedError
