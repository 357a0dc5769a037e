"""Data sets that hold their images once for each corruption and severity, corrupted already."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.datasets import Condition, DataSet

CLEAN: Condition = ("none", 0)


@dataclass
class StoredConditions:
    """Images stored under several conditions: an index is the same picture under each of them.

    Read by itself it gives the clean images.

    Attributes:
        root: where they are.
        labels, shape, classes, cropped: of the images under every condition.
        conditions: those there are.
        open: returns the images under one of the conditions; raises InputError where they do not fit the others.

    """

    root: Path
    labels: NDArray[np.int64]
    shape: tuple[int, int, int]
    classes: NDArray[np.int64] | None
    conditions: Collection[Condition]
    open: Callable[[Condition], DataSet]
    cropped: bool = True
    _opened: dict[Condition, DataSet] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def stored(self, condition: Condition) -> DataSet:
        """Return the images under a condition; InputError, saying what there is, where there are none that fit."""
        with self._lock:
            if condition not in self._opened:
                if condition not in self.conditions:
                    raise InputError(f"{self.root}: {self._lacks(condition)}")
                self._opened[condition] = self.open(condition)
            return self._opened[condition]

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the clean images that can be read, uint8 (m, H, W, C), and which of the indices, bool (n,)."""
        return self.stored(CLEAN).read(indices)

    def damaged(self, indices: NDArray[np.int64]) -> dict[str, str]:
        """Return those of the clean files behind the indices that could not be read, by path, with the reason."""
        return self.stored(CLEAN).damaged(indices)

    def _lacks(self, condition: Condition) -> str:
        name, severity = condition
        corruptions = sorted({other for other, _ in self.conditions} - {"none"})
        if condition == CLEAN:
            return f"has no clean images; name them in `clean`, or give each shift one of: {', '.join(corruptions)}"
        severities = sorted(other for corruption, other in self.conditions if corruption == name)
        if severities:
            return f"has no {name} of severity {severity}, only of: {', '.join(map(str, severities))}"
        return f"has no {name}, only: {', '.join(corruptions)}"
