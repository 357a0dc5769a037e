"""From indices into a data set to what a camera sees: read, decoded and corrupted, on demand or ahead of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from queue import Empty, SimpleQueue
from typing import Self
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from models import corruptions
from models.datasets import Condition, DataSet, Images
from models.datasets._stored import StoredConditions
from models.errors import InputError

__all__ = (
    "Condition",
    "Order",
    "Rendered",
    "Renderer",
    "Rendering",
    "check",
    "damaged",
    "default_threads",
    "render",
)

Rendered = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""The images that can be read, uint8 (m, H, W, C), and which of the indices they are, bool (n,)."""

WAITING_BYTES = 256 * 2**20
SMALL_BYTES = 4096
MOST_THREADS = 8
CLEAN = ("none", 0)


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


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be rendered: the arguments of `render`. Rendered as often as one likes, it gives the same.

    Attributes:
        data: where the images are.
        indices: int64 (n,), not to be changed.
        conditions: n of them.
        generator: returns, anew with every call, the generator of the corruptions' randomness, which then exists only
            while it is needed.

    """

    data: DataSet
    indices: NDArray[np.int64]
    conditions: tuple[Condition, ...]
    generator: Callable[[], np.random.Generator]

    @property
    def size(self) -> int:
        """Bytes of the images."""
        return len(self.indices) * prod(self.data.shape)

    @property
    def is_a_copy(self) -> bool:
        """Whether the images are copied from memory as they are."""
        return isinstance(self.data, Images) and set(self.conditions) <= {CLEAN}

    def render(self) -> Rendered:
        """Read and corrupt the images, as `render` does."""
        return render(self.data, self.indices, self.conditions, self.generator())


class Renderer:
    """Renders on a few threads what will be asked for later, as long as what waits stays within bounds.

    What the bound has no room for is begun as soon as there is room, oldest first, unless it is asked for before. What
    costs less than its way to a thread and back, copies and a few pixels, is left to whoever asks. What a result holds
    depends on nothing but its order: not on threads, on the bound or on what else was submitted. Orders and requests
    come from one thread. As a context manager it closes itself.

    Attributes:
        bound: most bytes of images rendered, or to be rendered, that nobody has asked for yet.
        small: bytes of images up to which an order never goes to a thread.

    """

    def __init__(
        self, threads: int | None = None, bound: int = WAITING_BYTES, small: int = SMALL_BYTES
    ) -> None:
        self.bound = bound
        self.small = small
        self._pool = ThreadPoolExecutor(threads or default_threads(), thread_name_prefix="rendering")
        self._submitted = 0
        self._waiting = 0
        self._refused: dict[int, ref[_Ahead]] = {}
        # Number and bytes of what was asked for or dropped; no other container may safely be used by __del__.
        self._released: SimpleQueue[tuple[int, int]] = SimpleQueue()

    @property
    def waiting(self) -> int:
        """Bytes of images rendered, or to be rendered, that nobody has asked for yet."""
        with suppress(Empty):
            while True:
                number, size = self._released.get_nowait()
                self._waiting -= size
                self._refused.pop(number, None)
        return self._waiting

    def submit(self, order: Order) -> Rendering:
        """Take an order, and begin to render it ahead where that pays: now, or when the bound leaves room."""
        size = order.size
        if size <= self.small or size > self.bound or order.is_a_copy:
            return Rendering(order)
        self._submitted += 1
        rendering = _Ahead(order, self._submitted, self)
        self._refused[self._submitted] = ref(rendering)
        self._advance()
        return rendering

    def release(self, number: int, size: int) -> None:
        """Take back the bytes of an order that was asked for, and use the room."""
        self._released.put((number, size))
        self._advance()

    def drop(self, number: int, size: int) -> None:
        """Take back the bytes of an order that nobody will ask for, later: garbage is collected at any moment."""
        self._released.put((number, size))

    def _advance(self) -> None:
        """Begin what was refused, oldest first, as far as there is room."""
        waiting = self.waiting
        while self._refused:
            number = next(iter(self._refused))
            rendering = self._refused[number]()
            if rendering is not None:
                if waiting + rendering.size > self.bound:
                    return
                waiting = self._waiting = self._waiting + rendering.size
                rendering.begin(self._pool)
            del self._refused[number]

    def close(self) -> None:
        """Stop the threads; what was submitted can still be asked for."""
        self._refused.clear()
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rendering:
    """Images that were submitted to a renderer and are rendered when they are asked for."""

    __slots__ = ("__weakref__", "_order", "_rendered")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._rendered: Rendered | None = None

    def result(self) -> Rendered:
        """Return the images, as `render` does, and raise what it raises. Asked again, it returns the same."""
        if self._rendered is None:
            self._rendered = self._obtain()
        return self._rendered

    def _obtain(self) -> Rendered:
        return self._order.render()


class _Ahead(Rendering):
    """Images that a thread renders when there is room; work that none has begun is done when they are asked for.

    Where it is dropped unasked, it gives its memory back.
    """

    __slots__ = ("_future", "_held", "_number", "_renderer", "size")

    def __init__(self, order: Order, number: int, renderer: Renderer) -> None:
        super().__init__(order)
        self.size = order.size
        self._number = number
        self._renderer = renderer
        self._future: Future[Rendered] | None = None
        self._held = 0

    def begin(self, pool: ThreadPoolExecutor) -> None:
        """Let a thread render the images, which count from now on."""
        self._held = self.size
        self._future = pool.submit(self._order.render)

    def _obtain(self) -> Rendered:
        future, self._future = self._future, None
        try:
            if future is None or future.cancel():
                return self._order.render()
            return future.result()
        finally:
            held, self._held = self._held, 0
            self._renderer.release(self._number, held)

    def __del__(self) -> None:
        drop, number, held = self._renderer.drop, self._number, self._held
        if self._future is None:
            drop(number, held)
            return
        self._future.cancel()
        self._future.add_done_callback(
            lambda _: drop(number, held)
        )  # at once, unless a thread is at work on it


def default_threads() -> int:
    """Return one thread less than there are cores for this process, from 1 to 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cores - 1), MOST_THREADS)
