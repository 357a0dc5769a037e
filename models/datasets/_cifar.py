"""Arrays `<corruption>.npy` with the images of five severities one after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.corruptions import SEVERITIES
from models.datasets import Condition, Images, _archive
from models.datasets._stored import CLEAN, StoredConditions
from models.errors import InputError

LABELS = "labels"
SHAPE = (32, 32, 3)


def read(root: Path, clean: Path | None) -> StoredConditions:
    """Map the arrays of a folder, and read the archive of clean images where there is one."""
    labels = _labels(root / f"{LABELS}.npy")
    images: dict[Condition, NDArray[np.uint8]] = {}
    for path in sorted(root.glob("[!.]*.npy")):
        if path.stem != LABELS:
            of_all = _mapped(path)
            expected = (len(labels) * len(SEVERITIES), *SHAPE)
            if of_all.dtype != np.uint8 or of_all.shape != expected:
                raise InputError(f"{path}: must be uint8 {expected}, not {of_all.dtype} {of_all.shape}")
            parts = np.split(of_all, len(SEVERITIES))
            images |= {(path.stem, severity): part for severity, part in zip(SEVERITIES, parts, strict=True)}
    if not images:
        raise InputError(f"{root}: holds no <corruption>.npy, such as fog.npy")
    if clean is not None:
        images[CLEAN] = _clean(clean, root, labels)
    return StoredConditions(
        root, labels, SHAPE, None, tuple(images), lambda condition: Images(images[condition], labels)
    )


def _labels(path: Path) -> NDArray[np.int64]:
    """Return the labels of one severity, int64 (N,)."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; it must hold the labels of five severities")
    labels = _mapped(path)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or len(labels) == 0 or len(labels) % len(SEVERITIES):
        raise InputError(
            f"{path}: must be integers (5 N,), the labels of five severities, not {labels.dtype} {labels.shape}"
        )
    of_each = labels.reshape(len(SEVERITIES), -1)
    if (of_each != of_each[0]).any() or labels.min() < 0:
        raise InputError(f"{path}: must hold the same labels, from 0, once for each of five severities")
    return np.array(of_each[0], np.int64)


def _clean(path: Path, root: Path, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    clean = _archive.read(path)
    if clean.shape != SHAPE or not np.array_equal(clean.labels, labels):
        raise InputError(
            f"{path}: must hold the {len(labels)} images of shape {SHAPE} that {root} has, with the same labels "
            f"in the same order, not {len(clean.labels)} of shape {clean.shape}"
            + (" with other labels" if clean.shape == SHAPE and len(clean.labels) == len(labels) else "")
        )
    return clean.images


def _mapped(path: Path) -> NDArray[np.generic]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a readable NumPy array (.npy): {error}") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: not a readable NumPy array (.npy): it is an archive")
    return array
