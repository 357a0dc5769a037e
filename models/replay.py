"""The cloud's memory of uploaded samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class ReplayBuffer:
    """The newest `capacity` uploaded images, first in, first out; none under a capacity of 0.

    Storage grows by doubling up to the capacity, so that a large capacity costs nothing before it is used.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.added = 0
        self._images: NDArray[np.uint8] | None = None
        self._arrivals = np.empty(0, np.int64)

    @property
    def arrivals(self) -> NDArray[np.int64]:
        """When each stored image arrived, int64 (len,), in no particular order."""
        return self._arrivals[: len(self)]

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, images: NDArray[np.uint8], arrival: int = 0) -> None:
        """Store images, uint8 (N, H, W, C), that arrived at a time; the oldest give way."""
        if self.capacity == 0:
            return
        for image in images:
            self._room_for(image)[self.added % self.capacity] = image
            self._arrivals[self.added % self.capacity] = arrival
            self.added += 1

    def _room_for(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows = 0 if self._images is None else len(self._images)
        if self._images is None or (self.added >= rows and rows < self.capacity):
            grown = np.empty((min(max(2 * rows, 256), self.capacity), *image.shape), np.uint8)
            if self._images is not None:
                grown[:rows] = self._images
            self._images = grown
            self._arrivals = np.resize(self._arrivals, len(grown))
        return self._images

    def sample(self, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Draw `count` images without replacement, uint8 (count, H, W, C); ValueError if fewer are stored."""
        if self._images is None or count > len(self):
            raise ValueError(f"{count} samples asked of a replay buffer that holds {len(self)}")
        chosen: NDArray[np.uint8] = self._images[generator.choice(len(self), count, replace=False)]
        return chosen
