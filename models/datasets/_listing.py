"""Finding image files: one folder for each class, in the order of their names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")


@dataclass(frozen=True)
class Listing:
    """The image files of a folder, none of them opened.

    Attributes:
        root: the folder.
        folders: its class folders, sorted by name.
        names: every image as `class/file`, sorted within the class.
        labels: the place of each image's class among the folders, int64 (N,).

    """

    root: Path
    folders: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]


def find(root: Path, folders: Sequence[str] | None = None) -> Listing:
    """List the images of a folder with one sub-folder for each class; InputError where a class has none.

    Hidden entries, other files and folders below the classes are left out.

    Args:
        root: the folder.
        folders: the classes' sub-folders, or None for all there are.

    """
    import numpy as np  # noqa: PLC0415

    chosen = sub_folders(root) if folders is None else tuple(folders)
    if not chosen:
        images = len(_images(root))
        found = f"{images} images that lie in no sub-folder" if images else "no sub-folder"
        raise InputError(f"{root}: has {found}; one sub-folder for each class is needed")
    of_each = [_images(root / folder) for folder in chosen]
    for folder, images_of_class in zip(chosen, of_each, strict=True):
        if not images_of_class:
            raise InputError(f"{root / folder}: holds no images{_instead(root / folder)}")
    names = tuple(
        f"{folder}/{name}" for folder, images in zip(chosen, of_each, strict=True) for name in images
    )
    return Listing(
        root, chosen, names, np.repeat(np.arange(len(chosen)), [len(images) for images in of_each])
    )


def sub_folders(root: Path) -> tuple[str, ...]:
    """Return the names of a folder's own folders but for hidden ones, sorted."""
    return _entries(root, folders=True)


def _images(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in _entries(folder, folders=False) if name.lower().endswith(EXTENSIONS))


def _entries(folder: Path, folders: bool) -> tuple[str, ...]:
    """Return the names of a folder's folders, or of everything else in it, sorted."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir() == folders]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    return tuple(sorted(name for name in found if not name.startswith(".")))


def _instead(folder: Path) -> str:
    """Say what a class folder holds in place of images, and what it may hold."""
    inside = sub_folders(folder)
    if inside:
        return f" but the folders {shortened(inside)}; every sub-folder of {folder.parent} must be a class with images"
    return f"; files of a class end with one of: {', '.join(EXTENSIONS)}"


def shortened(names: Sequence[str], shown: int = 3) -> str:
    """Join names, of which the first few are told."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
