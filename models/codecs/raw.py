"""Raw pixels: one byte a channel, no container."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from models.codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Raw(Base):
    """H x W x C bytes in row order."""

    lossless: ClassVar[bool] = True

    codec: Literal["raw"] = "raw"

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return the image's bytes."""
        return image.tobytes()

    def decode(self, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the image that the bytes stand for."""
        import numpy as np  # noqa: PLC0415

        return np.frombuffer(content, np.uint8).reshape(shape)
