"""A thread that computes beside the simulation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


class Background:
    """Does one piece of work after another, in order of submission, in a thread of its own.

    What follows a piece that failed is not done, since it was to build on it, and raises what that one raised.
    """

    def __init__(self, threads: int) -> None:
        """Let every operation of the work use so many threads."""
        self._pool = ThreadPoolExecutor(
            1, thread_name_prefix="steps", initializer=torch.set_num_threads, initargs=(threads,)
        )
        self._failure: BaseException | None = None

    def submit(self, work: Callable[[], T]) -> Callable[[], T]:
        """Queue work; the function returned waits for its result, or raises what it raises."""
        return self._pool.submit(self._do, work).result

    def finish(self) -> None:
        """Wait until all that was submitted has been done."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Wait for the work that is being done; what has not begun never will."""
        self._pool.shutdown(cancel_futures=True)

    def _do(self, work: Callable[[], T]) -> T:
        if self._failure is not None:
            raise self._failure
        try:
            return work()
        except BaseException as error:  # whatever it was, it goes to whoever asks for the result
            self._failure = error
            raise
