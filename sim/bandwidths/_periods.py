"""What recorded bandwidths share: a finite process, and one that starts again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from sim.timeline import Piece


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return a finite process without the pieces whose rate is that of the piece before."""
    kept: list[Piece] = []
    for piece in pieces:
        if not kept or kept[-1][1] != piece[1]:
            kept.append(piece)
    return tuple(kept)


def repeated(pieces: Sequence[Piece], period: int) -> Iterator[Piece]:
    """Yield a process that starts again every `period` nanoseconds; once, if it is constant anyway."""
    if len(pieces) == 1:
        yield from pieces
        return
    for start in count(0, period):
        for offset, rate in pieces:
            yield start + offset, rate
