"""Half precision: two bytes a value, relative error up to 2^-11 (absolute 2^-25 below 6e-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.update_codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Fp16(Base):
    """Little-endian float16 values in order; values beyond float16's range are clipped to it."""

    codec: Literal["fp16"] = "fp16"

    def encode(
        self, state: NDArray[np.float32], source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> bytes:
        """Return 2 D bytes."""
        import numpy as np  # noqa: PLC0415

        limit = np.finfo(np.float16).max
        return state.clip(-limit, limit).astype("<f2").tobytes()

    def decode(
        self, content: bytes, source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Return the rounded state."""
        import numpy as np  # noqa: PLC0415

        return np.frombuffer(content, "<f2").astype(np.float32)
