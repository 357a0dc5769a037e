"""Eight-bit differences to the deployed state: one byte a value and one scale a piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.update_codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Int8(Base):
    """Symmetric uniform quantisation of `state - source`, each piece scaled by its largest difference / 127.

    The difference is taken to the deployed state, not to the previous update, so that an update can be decoded
    whatever the device has missed; the error of a value is at most half its piece's scale.
    """

    codec: Literal["int8"] = "int8"

    def encode(
        self, state: NDArray[np.float32], source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> bytes:
        """Return 4 bytes for each piece (its scale, float32) and then one byte for each value."""
        import numpy as np  # noqa: PLC0415

        difference = state - source
        scales = np.array([np.abs(difference[piece]).max(initial=0) / 127 for piece in pieces], "<f4")
        steps = np.empty(len(state), np.int8)
        for piece, scale in zip(pieces, scales, strict=True):
            steps[piece] = np.rint(difference[piece] / scale).clip(-127, 127) if scale > 0 else 0
        return scales.tobytes() + steps.tobytes()

    def decode(
        self, content: bytes, source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Return the source plus the quantised difference."""
        import numpy as np  # noqa: PLC0415

        scales = np.frombuffer(content, "<f4", len(pieces))
        steps = np.frombuffer(content, np.int8, offset=4 * len(pieces))
        state = source.astype(np.float32, copy=True)
        for piece, scale in zip(pieces, scales, strict=True):
            state[piece] += steps[piece] * scale
        return state
