"""Selection inside a budget: the samples that a device holds for upload, ranked, and those of them that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sim.messages import LENGTH_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.ranks import Prediction
    from scenarios.budgets import Budget as BudgetSettings


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A kept sample that is encoded and not sent.

    Attributes:
        batch: number of the device's batch that it comes from.
        content: as encoded.
        image: uint8 (H, W, C), where its codec loses nothing; None otherwise.
        quality: level at which it is encoded; None where there is one alone.
        prediction: what the device knows of it.

    """

    batch: int
    content: bytes
    image: NDArray[np.uint8] | None
    quality: int | None
    prediction: Prediction

    @property
    def payload_bytes(self) -> int:
        """Size of the payload of a message that holds it alone."""
        return payload_bytes([self.content], self.quality)


class Pool:
    """The candidates of one device, in order of arrival.

    Attributes:
        rank: says which goes first.
        candidates: in order of arrival.

    """

    def __init__(self, settings: BudgetSettings) -> None:
        self.settings = settings
        self.rank = settings.rank.build()
        self.candidates: list[Candidate] = []

    def __len__(self) -> int:
        return len(self.candidates)

    def of(self, batch: int) -> int:
        """Return how many come from a batch."""
        return sum(candidate.batch == batch for candidate in self.candidates)

    def payloads(self) -> list[int]:
        """Return the sizes of the messages' payloads in which all would go, one for each batch."""
        return [
            payload_bytes([each.content for each in candidates], candidates[0].quality)
            for candidates in _by_batch(self.candidates)
        ]

    def ranked(self) -> list[Candidate]:
        """Return all, the best first, and of equals the one that arrived first."""
        scores = self.rank.scores([candidate.prediction for candidate in self.candidates])
        places = sorted(range(len(scores)), key=lambda place: -scores[place])
        return [self.candidates[place] for place in places]

    def choose(self, room: int, message_bytes: Callable[[int], int]) -> list[list[Candidate]]:
        """Take out what goes now: for each batch that it comes from a message's candidates, in order of arrival.

        All messages together are at most `room` bytes with their headers, which `message_bytes` adds to a payload.
        Where samples wait, the best that does not fit holds up those behind it; where they do not, it is passed over.
        """
        chosen: set[Candidate] = set()
        payloads: dict[int, int] = {}
        for candidate in self.ranked():
            before = payloads.get(candidate.batch)
            if before is None:
                after = candidate.payload_bytes
                more = message_bytes(after)
            else:
                after = before + LENGTH_BYTES + len(candidate.content)
                more = message_bytes(after) - message_bytes(before)
            if more <= room:
                room -= more
                payloads[candidate.batch] = after
                chosen.add(candidate)
            elif self.settings.excess != "drop":
                break
        going = [candidate for candidate in self.candidates if candidate in chosen]
        if going:
            self.candidates = [candidate for candidate in self.candidates if candidate not in chosen]
            self.rank.note_sent([candidate.prediction for candidate in going])
        return _by_batch(going)

    def trim(self) -> int:
        """Give up what cannot wait, and return how many that is."""
        excess, most = self.settings.excess, self.settings.waiting_samples
        surplus = len(self) if excess == "drop" else max(0, len(self) - most)
        if excess == "replace":
            best = set(self.ranked()[:most])
            self.candidates = [candidate for candidate in self.candidates if candidate in best]
        elif excess == "wait" and self.settings.overflow == "drop_newest":
            del self.candidates[most:]
        else:
            del self.candidates[:surplus]
        return surplus


def _by_batch(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Part candidates, those of a batch beside each other, into what one message holds."""
    return [list(message) for _, message in groupby(candidates, attrgetter("batch"))]


def payload_bytes(contents: Sequence[bytes], quality: int | None) -> int:
    """Return the size of the payload that `sim.messages.pack` makes of encoded images."""
    return (quality is not None) + sum(LENGTH_BYTES + len(content) for content in contents)
