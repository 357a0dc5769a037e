"""Single precision: four bytes a value, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.update_codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Fp32(Base):
    """Little-endian float32 values in order."""

    codec: Literal["fp32"] = "fp32"

    def encode(
        self, state: NDArray[np.float32], source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> bytes:
        """Return 4 D bytes."""
        return state.astype("<f4").tobytes()

    def decode(
        self, content: bytes, source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Return the state, exactly."""
        import numpy as np  # noqa: PLC0415

        return np.frombuffer(content, "<f4").astype(np.float32)
