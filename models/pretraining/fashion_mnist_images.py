"""Fashion-MNIST's files: 28x28 grey images of ten kinds of clothing (https://arxiv.org/abs/1708.07747, MIT)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
MEAN, STD = 0.2860, 0.3530  # of the training split's pixels in [0, 1]
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package dataset-fashion-mnist
FILES = {"train": "train", "test": "t10k"}


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of unsigned bytes (http://yann.lecun.com/exdb/mnist); raises ValueError otherwise."""
    content = gzip.decompress(path.read_bytes())
    zeros, kind, dimensions = content[:2], content[2], content[3]
    if zeros != b"\0\0" or kind != 8:
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images, uint8 (N, 28, 28, 1), and labels, int64 (N,), of `train` or `test`."""
    prefix = FILES[split]
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")[..., None].copy()
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz").astype(np.int64)
    return images, labels


def training_split(download_folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the 60 000 training images and labels, from the Debian package or else torchvision's downloader.

    Raises InputError where neither works.
    """
    if DEBIAN_FOLDER.is_dir():
        return read_split(DEBIAN_FOLDER, "train")
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415 - heavy

    try:
        FashionMNIST(str(download_folder), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"Fashion-MNIST's training images are not at {DEBIAN_FOLDER} and could not be downloaded into "
            f"{download_folder} ({error}). Install the Debian package dataset-fashion-mnist, or put the four "
            f"*-ubyte.gz files into {download_folder / 'FashionMNIST' / 'raw'}."
        ) from error
    return read_split(download_folder / "FashionMNIST" / "raw", "train")
