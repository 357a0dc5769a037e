"""Eight-bit differences to the deployed state: one byte a value and one scale a piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.update_codecs import Base

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Int8(Base):
    """Symmetric uniform quantisation of a difference, each piece scaled by its largest difference / 127.

    The difference is `state - source`, or log(state / source) for pieces whose values are all positive, such as
    variances, which so stay positive; a negative scale marks the latter. It is taken to the deployed state, not to
    the previous update, so that an update can be decoded whatever the device has missed. The error of a difference
    is at most half its piece's scale.
    """

    codec: Literal["int8"] = "int8"

    def encode(
        self, state: NDArray[np.float32], source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> bytes:
        """Return 4 bytes for each piece (its scale, float32) and then one byte for each value."""
        import numpy as np  # noqa: PLC0415

        scales, steps = np.zeros(len(pieces), "<f4"), np.zeros(len(state), np.int8)
        for index, piece in enumerate(pieces):
            new, old = state[piece].astype(np.float64), source[piece].astype(np.float64)
            positive = bool((new > 0).all() and (old > 0).all())
            difference = np.log(new / old) if positive else new - old
            scale = np.float32(np.abs(difference).max(initial=0) / 127)
            if scale > 0:
                steps[piece] = np.rint(difference / scale).clip(-127, 127)
            scales[index] = -scale if positive else scale
        return scales.tobytes() + steps.tobytes()

    def decode(
        self, content: bytes, source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Return the source moved by the quantised differences."""
        import numpy as np  # noqa: PLC0415

        scales = np.frombuffer(content, "<f4", len(pieces)).astype(np.float64)
        steps = np.frombuffer(content, np.int8, offset=4 * len(pieces))
        state = source.astype(np.float64)
        for piece, scale in zip(pieces, scales, strict=True):
            if np.signbit(scale):
                state[piece] *= np.exp(steps[piece] * -scale)
            else:
                state[piece] += steps[piece] * scale
        return state.astype(np.float32)
