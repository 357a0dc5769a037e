"""Decoded images that may be asked for again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CAPACITY = 256 * 2**20


class ImageCache:
    """Keeps the images used last, up to `capacity` bytes of them; several threads may share it."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._images: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes of the images kept now."""
        return self._held

    def get(self, name: str) -> NDArray[np.uint8] | None:
        """Return the image kept under a name; None where there is none."""
        with self._lock:
            image = self._images.get(name)
            if image is not None:
                self._images.move_to_end(name)
            return image

    def put(self, name: str, image: NDArray[np.uint8]) -> None:
        """Keep an image, which nobody may change any more, in place of those not used for longest."""
        with self._lock:
            if name in self._images:
                return
            self._images[name] = image
            self._held += image.nbytes
            while self._held > self.capacity:
                _, oldest = self._images.popitem(last=False)
                self._held -= oldest.nbytes
