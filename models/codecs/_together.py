"""Encoding and decoding the images of a batch, several at a time where that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.codecs import Base

S = TypeVar("S")
T = TypeVar("T")

LEAST_PIXELS = 64 * 64
"""Pixels of an image from which on its way to a thread and back costs less than a tenth of its encoding."""

MOST_THREADS = 8


def encode(codec: Base, images: Sequence[NDArray[np.uint8]]) -> list[bytes]:
    """Encode images, uint8 (H, W, C), in order."""
    return _map(codec.encode, images, prod(images[0].shape[:2]) if len(images) else 0)


def decode(codec: Base, contents: Sequence[bytes], shape: tuple[int, int, int]) -> list[NDArray[np.uint8]]:
    """Decode images of shape (H, W, C), in order."""
    return _map(lambda content: codec.decode(content, shape), contents, prod(shape[:2]))


def _map(work: Callable[[S], T], items: Sequence[S], pixels: int) -> list[T]:
    """Do the work in threads, as many as PyTorch uses; Pillow leaves Python's lock to others while it works."""
    threads = min(torch.get_num_threads(), MOST_THREADS)
    if threads == 1 or len(items) < 2 or pixels < LEAST_PIXELS:
        return [work(item) for item in items]
    return list(_pool(threads).map(work, items))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="codecs")
