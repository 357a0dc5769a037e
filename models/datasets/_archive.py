"""Reading labelled images from a NumPy archive."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from models.datasets import Images
from models.errors import InputError


def read(path: Path) -> Images:
    """Read `images`, uint8 (N, H, W, C) with C = 1 or 3, and `labels`, integers (N,) from 0; InputError otherwise."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with archive:
            arrays = {name: archive[name] for name in ("images", "labels")}
    except KeyError as error:
        raise InputError(
            f"{path}: an array named 'images' and one named 'labels' are needed ({error})"
        ) from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable NumPy archive (.npz): {error}") from None
    images, labels = arrays["images"], arrays["labels"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or len(images) == 0:
        raise InputError(
            f"{path}: 'images' must be uint8 (N, H, W, C) with C = 1 or 3, not {images.dtype} {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1] or labels.min() < 0:
        raise InputError(
            f"{path}: 'labels' must be {len(images)} integers from 0, one per image, not {labels.dtype} {labels.shape}"
        )
    return Images(images, labels.astype(np.int64))
