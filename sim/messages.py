"""What travels on the links, and its bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Message:
    """A message's kind, its payload and what the tables say of it.

    Kinds are samples, statistics, join, update, answer and acknowledgement.

    Attributes:
        device: the sender on the way up, the receiver on the way down.
        samples: images in the payload, or predictions.
        batch: number of the device's batch that it comes from or answers; None for an update and a join.
        version: number of the version that an update brings; None for the others.
        state: what an update makes of the deployed state, float32 (D,): the same for all receivers, so decoded once.
        images: those in the payload, uint8 (H, W, C) each, where its codec loses nothing: to decode them would give the
            same; None otherwise.
        logits: behind the predictions of an answer, float32 (N, C); recorded, not sent.
        asks: whether samples are sent for an answer.
        epoch: how many resets came before it.
        information: mean entropy of the samples' predictions, in nats, by which an outbox and the cloud may prefer one
            message to another; 0 without any.
        quality: level at which the samples are encoded, where there are several; the payload begins with it.

    """

    kind: str
    device: str
    payload: bytes
    samples: int = 0
    batch: int | None = None
    version: int | None = None
    state: NDArray[np.float32] | None = None
    images: Sequence[NDArray[np.uint8]] | None = None
    logits: Tensor | None = None
    asks: bool = False
    epoch: int = 0
    information: float = 0.0
    quality: int | None = None


def joining(device: str, version: int, epoch: int) -> Message:
    """Return what a device tells the cloud when it comes or comes back: the version it holds, four bytes."""
    return Message("join", device, struct.pack("<I", version), epoch=epoch)


LENGTH_BYTES = 4
"""What an encoded image costs beside its own bytes."""


def pack(parts: Sequence[bytes], quality: int | None = None) -> bytes:
    """Join encoded images into one payload, each after its length (four bytes, little-endian).

    A level of quality, where there is one, comes first, as one byte.
    """
    level = b"" if quality is None else bytes((quality,))
    return level + b"".join(struct.pack("<I", len(part)) + part for part in parts)


def unpack(payload: bytes, start: int = 0) -> list[bytes]:
    """Take `pack`'s payload apart, from `start` on; raises ValueError where it is cut short."""
    parts = []
    while start < len(payload):
        if start + 4 > len(payload):
            raise ValueError("payload is cut short")
        (length,) = struct.unpack_from("<I", payload, start)
        start += 4 + length
        if start > len(payload):
            raise ValueError("payload is cut short")
        parts.append(payload[start - length : start])
    return parts
