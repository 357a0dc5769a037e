"""Random streams: one for each entity and purpose, spawned by name.

A stream depends on the seed and its own name alone, so adding a device or drawing more numbers elsewhere changes
nothing, and two runs with one seed see the same world.
"""

from __future__ import annotations

import hashlib

import numpy as np


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
