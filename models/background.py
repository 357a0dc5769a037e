"""A thread that computes beside the simulation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


class Background:
    """Does one piece of work after another, in order of submission, in a thread of its own.

    What follows a piece that failed fails too, with LookupError: it was to build on it.
    """

    def __init__(self, threads: int) -> None:
        """Let every operation of the work use so many threads."""
        self._pool = ThreadPoolExecutor(
            1, thread_name_prefix="steps", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._failed = False

    def submit(self, work: Callable[[], T]) -> Callable[[], T]:
        """Queue work; the function returned waits for its result, or raises what it raises."""
        return self._pool.submit(self._do, work).result

    def close(self) -> None:
        """Wait for the work that is being done; what has not begun never will."""
        self._pool.shutdown(cancel_futures=True)

    def _do(self, work: Callable[[], T]) -> T:
        if self._failed:
            raise LookupError("this work builds on work that has failed")
        try:
            return work()
        except BaseException:  # whatever it was, it goes to whoever asks for the result
            self._failed = True
            raise
