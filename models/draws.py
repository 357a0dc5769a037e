"""Random numbers of layers that draw in training, such as dropout and stochastic depth."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_draws(name: str, step: int) -> Iterator[None]:
    """Let layers draw from a stream that belongs to one model and step, whatever was drawn elsewhere.

    It depends on the run's seed (torch.initial_seed), the name and the step alone; the global state stays as it was.
    """
    seed = zlib.crc32(f"{torch.initial_seed()}/{name}/{step}".encode())
    # One by one: torch.manual_seed looks for CUDA each time, which takes longer than some steps.
    generators = [torch.default_generator]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        generators += torch.cuda.default_generators
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
