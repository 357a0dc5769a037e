"""Random streams: one for each entity and purpose, spawned by name.

A stream depends on the seed and its own name alone, so adding a device or drawing more numbers elsewhere changes
nothing, and two runs with one seed see the same world.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.random.bit_generator import ISeedSequence

if TYPE_CHECKING:
    from numpy.random.bit_generator import ISpawnableSeedSequence
    from numpy.typing import NDArray


class RandomStreams:
    """Spawns generators from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generator(self, name: str, *indices: int) -> np.random.Generator:
        """Return a fresh generator for a name such as `cameras-0/arrivals`, and perhaps a place in its sequence."""
        digest = hashlib.sha256(name.encode()).digest()
        words = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
        sequence = np.random.SeedSequence(self.seed, spawn_key=(*words, *indices))
        return np.random.Generator(np.random.PCG64(sequence))


def spawn(generator: np.random.Generator, count: int) -> list[np.random.Generator]:
    """Return generators that draw what those of `generator.spawn(count)` draw, in a third of their memory.

    They cannot spawn others (TypeError), for which numpy's keep their seed sequences: a large fleet holds many.
    """
    sequence = cast("ISpawnableSeedSequence", generator.bit_generator.seed_seq)
    seeds = [Seed(child) for child in sequence.spawn(count)]
    return [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]  # type: ignore[arg-type]  # stubs name one class


class Seed(ISeedSequence):
    """A seed sequence that is used once and forgets itself."""

    __slots__ = ("_sequence",)

    def __init__(self, sequence: ISeedSequence) -> None:
        self._sequence: ISeedSequence | None = sequence

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return the words that a bit generator begins with."""
        sequence, self._sequence = self._sequence, None
        assert sequence is not None, "the generator has begun already"
        return sequence.generate_state(n_words, dtype)
