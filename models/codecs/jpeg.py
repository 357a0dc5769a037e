"""JPEG: lossy, for photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Jpeg(Base):
    """JPEG (JFIF) through Pillow."""

    codec: Literal["jpeg"] = "jpeg"
    quality: Annotated[int, Field(ge=1, le=95)] = 90
    """Pillow's quality scale."""

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return a JPEG file."""
        from models.codecs import _pillow  # noqa: PLC0415

        return _pillow.encode(image, "jpeg", quality=self.quality)

    def decode(self, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the image in a JPEG file."""
        from models.codecs import _pillow  # noqa: PLC0415

        return _pillow.decode(content, shape)
