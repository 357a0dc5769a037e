"""Predictions that are complete, and whose results nothing that happens next depends on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from models.executor import Forward, Pending


class _Conclusion(NamedTuple):
    samples: int
    pending: Pending[Forward]
    conclude: Callable[[Forward], object]


class Conclusions:
    """Puts off asking for results, so that their passes run with later ones; draws conclusions in the order given.

    Attributes:
        bound: samples that may wait; with more, the oldest results are asked for.
        samples: how many wait.

    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.samples = 0
        self._waiting: deque[_Conclusion] = deque()

    def put_off(self, samples: int, pending: Pending[Forward], conclude: Callable[[Forward], object]) -> None:
        """Let `conclude` be called with the result of so many samples, at some time."""
        self._waiting.append(_Conclusion(samples, pending, conclude))
        self.samples += samples
        while self._waiting and (self.samples >= self.bound or self._waiting[0].pending.done):
            self._draw()

    def settle(self) -> None:
        """Draw all that wait."""
        while self._waiting:
            self._draw()

    def _draw(self) -> None:
        samples, pending, conclude = self._waiting[0]
        forward = pending.result()
        self._waiting.popleft()  # only now: an interrupted pass is asked for again
        self.samples -= samples
        conclude(forward)
