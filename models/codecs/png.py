"""PNG: lossless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Png(Base):
    """Portable Network Graphics through Pillow."""

    lossless: ClassVar[bool] = True

    codec: Literal["png"] = "png"
    compression: Annotated[int, Field(ge=0, le=9)] = 6
    """zlib's effort."""

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return a PNG file."""
        from models.codecs import _pillow  # noqa: PLC0415

        return _pillow.encode(image, "png", compress_level=self.compression)

    def decode(self, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the image in a PNG file."""
        from models.codecs import _pillow  # noqa: PLC0415

        return _pillow.decode(content, shape[2])
