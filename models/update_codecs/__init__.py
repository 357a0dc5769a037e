"""Codecs for the normalisation state on its way down to the devices. One file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Base(Settings):
    """Settings of an update codec and the codec itself.

    A state is a float32 vector cut into named pieces (one for each parameter or statistic of each layer). Every
    device knows the state that was deployed, `source`, so a codec may send differences to it; it then decodes
    whichever updates were lost or skipped before.
    """

    codec: str

    def encode(
        self, state: NDArray[np.float32], source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> bytes:
        """Encode `state`, float32 (D,)."""
        raise NotImplementedError

    def decode(
        self, content: bytes, source: NDArray[np.float32], pieces: tuple[slice, ...]
    ) -> NDArray[np.float32]:
        """Decode to float32 (D,), what the device will really run on."""
        raise NotImplementedError
