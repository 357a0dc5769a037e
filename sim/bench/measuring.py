"""Measuring by comparison: sides that take turns in one process, so that a busy machine slows them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

Report = Callable[[str], None]
"""Called with a few words on what is being measured."""


def alternate(
    sides: Mapping[str, Callable[[], T]], rounds: int, *, warm_up: bool = False, report: Report | None = None
) -> dict[str, list[T]]:
    """Call every side once a round, in the opposite order in every second round; return what each returned.

    With `warm_up` every side is called once more, before all rounds, and what it returns is dropped. Garbage is
    collected before each call, and what is there then is left out of collections, so that no side pays for another's.
    ValueError for less than one round.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds; at least 1 is needed")
    tell = report or (lambda text: None)
    returned: dict[str, list[T]] = {name: [] for name in sides}

    def call(name: str, what: str) -> T:
        tell(f"{what}: {name}")
        gc.collect()
        gc.freeze()
        return sides[name]()

    try:
        for name in sides if warm_up else ():
            call(name, "warming up")
        for number in range(rounds):
            for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
                returned[name].append(call(name, f"round {number + 1} of {rounds}"))
    finally:
        gc.unfreeze()
    return returned


def wall_time(action: Callable[[], object]) -> float:
    """Call `action` and return the seconds that it took on the wall clock."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def cpu_time(action: Callable[[], object]) -> float:
    """Call `action` and return the processor seconds of this process, all threads together."""
    started = time.process_time()
    action()
    return time.process_time() - started


def ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """Return each round's quotient; ValueError where the two differ in length."""
    return tuple(a / b for a, b in zip(over, under, strict=True))
