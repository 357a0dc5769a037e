"""Predictions that are complete, and whose results nothing that happens next depends on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from models.executor import LostError

if TYPE_CHECKING:
    from models.executor import Forward, Pending


class _Conclusion(NamedTuple):
    samples: int
    pending: Pending[Forward]
    conclude: Callable[[Forward], object]
    give_up: Callable[[], object]


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

    def put_off(
        self,
        samples: int,
        pending: Pending[Forward],
        conclude: Callable[[Forward], object],
        give_up: Callable[[], object],
    ) -> None:
        """Let `conclude` be called with the result of so many samples, at some time, or `give_up` without one."""
        self._waiting.append(_Conclusion(samples, pending, conclude, give_up))
        self.samples += samples
        while self._waiting and self.samples >= self.bound:
            self._draw()

    def settle(self) -> None:
        """Draw all that wait."""
        while self._waiting:
            self._draw()

    def close(self) -> None:
        """Draw all that can be drawn, and give up those whose results an interrupt has made impossible."""
        while self._waiting:
            try:
                self._draw()
            except LostError:
                samples, _, _, give_up = self._waiting.popleft()
                self.samples -= samples
                give_up()

    def _draw(self) -> None:
        samples, pending, conclude, _ = self._waiting[0]
        forward = pending.result()
        self._waiting.popleft()  # only now: an interrupted pass is asked for again
        self.samples -= samples
        conclude(forward)
