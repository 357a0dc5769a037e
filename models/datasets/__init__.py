"""Data sets: labelled images that devices' streams draw from. One file for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """A data set in memory.

    Attributes:
        images: uint8 (N, H, W, C) with C = 1 or 3.
        labels: int64 (N,), each in [0, number of classes).

    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Base(Settings):
    """Settings of a data set; `load` reads it."""

    def load(self) -> Images:
        """Read the data set; raises models.errors.InputError where the file is not as described."""
        raise NotImplementedError
