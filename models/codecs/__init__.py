"""Image codecs for uploads: what is really sent, and what the cloud really sees. One file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from scenarios.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Base(Settings):
    """Settings of an image codec and the codec itself.

    Attributes:
        lossless: whether decoding gives back what was encoded, bit for bit.

    """

    lossless: ClassVar[bool] = False

    codec: str

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Encode one image, uint8 (H, W, C) with C = 1 or 3."""
        raise NotImplementedError

    def decode(self, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Decode one image of the given shape (H, W, C), uint8."""
        raise NotImplementedError
