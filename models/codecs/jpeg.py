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
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of height and width: an image is reduced before it is encoded, and brought back to its size when decoded; both
    bicubic, the reduction with an antialiasing filter."""

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return a JPEG file."""
        from models.codecs import _pillow  # noqa: PLC0415

        if self.scale < 1:
            image = _pillow.resize(image, *(max(1, round(self.scale * side)) for side in image.shape[:2]))
        return _pillow.encode(image, "jpeg", quality=self.quality)

    def decode(self, content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the image in a JPEG file, at the given size."""
        from models.codecs import _pillow  # noqa: PLC0415

        image = _pillow.decode(content, shape[2])
        return image if image.shape == shape else _pillow.resize(image, *shape[:2])
