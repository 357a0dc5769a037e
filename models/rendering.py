"""From indices into a data set to what a camera sees: read, decoded and corrupted, on demand or ahead of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import prod
from queue import Empty, SimpleQueue
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models import corruptions
from models.datasets import Condition, DataSet
from models.datasets._stored import StoredConditions
from models.errors import InputError

__all__ = ("Condition", "Rendered", "Renderer", "Rendering", "check", "damaged", "default_threads", "render")

Rendered = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""The images that can be read, uint8 (m, H, W, C), and which of the indices they are, bool (n,)."""

WAITING_BYTES = 256 * 2**20
MOST_THREADS = 8


def render(
    data: DataSet, indices: NDArray[np.int64], conditions: Sequence[Condition], generator: np.random.Generator
) -> Rendered:
    """Read images and corrupt each under its condition; images of one condition are corrupted together, in order.

    Where the data set holds images under their conditions already, those are read and nothing is drawn.

    Args:
        data: where the images are.
        indices: int64 (n,).
        conditions: n of them.
        generator: the randomness of the corruptions.

    Returns:
        The images that can be read, uint8 (m, H, W, C), and which of the indices they are, bool (n,).

    """
    if isinstance(data, StoredConditions):
        return _read_stored(data, indices, conditions)
    clean, present = data.read(indices)
    left = [condition for condition, there in zip(conditions, present, strict=True) if there]
    images = clean
    for condition in dict.fromkeys(left):
        name, severity = condition
        if name == "none":
            continue
        chosen = np.array([other == condition for other in left])
        if images is clean:
            images = clean.copy()
        images[chosen] = corruptions.corrupt(clean[chosen], name, severity, generator)
    return images, present


def check(data: DataSet, conditions: Iterable[Condition]) -> list[str]:
    """Return what is wrong with images that the data set should hold under the conditions; often nothing.

    Only data sets with stored corruptions can lack one; any other is corrupted on the fly.
    """
    problems = []
    if isinstance(data, StoredConditions):
        for condition in dict.fromkeys(conditions):
            try:
                data.stored(condition)
            except InputError as error:
                problems.append(str(error))
    return problems


def damaged(data: DataSet, indices: NDArray[np.int64], conditions: Sequence[Condition]) -> dict[str, str]:
    """Return which files behind images that were rendered could not be read, by path, each with the reason.

    It depends on nothing but the arguments, whatever else was rendered.
    """
    if not isinstance(data, StoredConditions):
        return data.damaged(indices)
    found = [
        data.stored(condition).damaged(indices[[other == condition for other in conditions]])
        for condition in dict.fromkeys(conditions)
    ]
    return {path: reason for files in found for path, reason in files.items()}


def _read_stored(
    data: StoredConditions, indices: NDArray[np.int64], conditions: Sequence[Condition]
) -> Rendered:
    if len(conditions) != len(indices):
        raise ValueError(f"{len(conditions)} conditions for {len(indices)} images")
    images = np.zeros((len(indices), *data.shape), np.uint8)
    present = np.zeros(len(indices), np.bool_)
    for condition in dict.fromkeys(conditions):
        chosen = np.flatnonzero([other == condition for other in conditions])
        found, readable = data.stored(condition).read(indices[chosen])
        images[chosen[readable]] = found
        present[chosen[readable]] = True
    return images[present], present


class Renderer:
    """Renders on a few threads what will be asked for later, as long as what waits stays within bounds.

    What a result holds depends on nothing but its submission: not on threads, on the bound or on the order. Submissions
    come from one thread. As a context manager it closes itself.

    Attributes:
        bound: most bytes of images rendered, or to be rendered, that nobody has asked for yet.

    """

    def __init__(self, threads: int | None = None, bound: int = WAITING_BYTES) -> None:
        self.bound = bound
        self._pool = ThreadPoolExecutor(threads or default_threads(), thread_name_prefix="rendering")
        self._waiting = 0
        self._released: SimpleQueue[int] = SimpleQueue()  # the one container that __del__ may safely put into

    @property
    def waiting(self) -> int:
        """Bytes of images rendered, or to be rendered, that nobody has asked for yet."""
        with suppress(Empty):
            while True:
                self._waiting -= self._released.get_nowait()
        return self._waiting

    def submit(
        self,
        data: DataSet,
        indices: NDArray[np.int64],
        conditions: Sequence[Condition],
        generator: np.random.Generator,
    ) -> Rendering:
        """Begin to render, where the bound leaves room; otherwise the images are rendered when they are asked for.

        The arguments are those of `render`; nothing else may draw from `generator`.
        """
        work = partial(render, data, indices.copy(), tuple(conditions), generator)
        size = len(indices) * prod(data.shape)
        if self.waiting + size > self.bound:
            return Rendering(work, Future(), 0, self._released)
        self._waiting += size
        return Rendering(work, self._pool.submit(work), size, self._released)

    def close(self) -> None:
        """Stop the threads; what was submitted can still be asked for."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rendering:
    """Images that were submitted to a renderer. Where it is dropped unasked, it gives its memory back."""

    def __init__(
        self, work: Callable[[], Rendered], future: Future[Rendered], size: int, released: SimpleQueue[int]
    ) -> None:
        self._work = work
        self._future = future
        self._size = size
        self._released = released

    def result(self) -> Rendered:
        """Return the images, as `render` does, and raise what it raises; from then on they are the caller's.

        Work that no thread has begun is done here and now. Asked again, it returns the same.
        """
        if self._future.cancel():
            self._future = _completed(self._work)
        try:
            return self._future.result()
        finally:
            size, self._size = self._size, 0
            self._released.put(size)

    def __del__(self) -> None:
        size, released = self._size, self._released
        self._future.cancel()
        self._future.add_done_callback(
            lambda _: released.put(size)
        )  # at once, unless a thread is at work on it


def default_threads() -> int:
    """Return one thread less than there are cores for this process, from 1 to 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cores - 1), MOST_THREADS)


def _completed(work: Callable[[], Rendered]) -> Future[Rendered]:
    future: Future[Rendered] = Future()
    try:
        future.set_result(work())
    except Exception as error:  # raised to whoever asks, as a thread's would be
        future.set_exception(error)
    return future
