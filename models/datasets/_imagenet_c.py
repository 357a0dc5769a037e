"""Folders `corruption/severity/class/file` with the same files under each corruption and severity."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PIL import Image

from models.corruptions import SEVERITIES
from models.datasets import Condition, _files, _imagenet, _listing
from models.datasets._cache import ImageCache
from models.datasets._files import Fit, ImageFiles
from models.datasets._listing import Listing, shortened
from models.datasets._stored import CLEAN, StoredConditions
from models.errors import InputError


def read(root: Path, clean: Path | None) -> StoredConditions:
    """Describe the images below `root`; the first of its conditions says which images there are."""
    folders = _condition_folders(root)
    first = _listing.find(next(iter(folders.values())))
    classes = _imagenet.classes(first.root, first.folders)
    width, height = _files.first_size(first.root, first.names)
    if width != height:
        raise InputError(f"{first.root}: its images must be square, not {width} x {height} pixels")
    if clean is not None:
        folders[CLEAN] = clean
    shape, cache = (height, width, 3), ImageCache()

    def open_condition(condition: Condition) -> ImageFiles:
        place = folders[condition]
        _compare(first, place, more_allowed=condition == CLEAN)
        fit = _as_originals_were_made(width) if condition == CLEAN else _as_stored(width)
        return ImageFiles(place, first.names, first.labels, shape, fit, classes, cropped=True, cache=cache)

    return StoredConditions(root, first.labels, shape, classes, tuple(folders), open_condition)


def _condition_folders(root: Path) -> dict[Condition, Path]:
    corruptions = _listing.sub_folders(root)
    folders = {
        (corruption, severity): root / corruption / str(severity)
        for corruption in corruptions
        for severity in SEVERITIES
        if (root / corruption / str(severity)).is_dir()
    }
    if not folders:
        raise InputError(
            f"{root}: needs folders `corruption/severity/class` with severities from 1 to 5, such as "
            f"fog/3/{_imagenet.wnids()[0]}, but has the folders: {shortened(corruptions) or 'none'}"
        )
    return folders


def _compare(first: Listing, place: Path, more_allowed: bool) -> None:
    """Raise InputError unless the folder holds the same images as the first, or perhaps more of them."""
    if place == first.root:
        return
    absent = [folder for folder in first.folders if not (place / folder).is_dir()]
    if absent:
        raise InputError(f"{place}: has no folder {shortened(absent)}, but {first.root} has")
    found = set(_listing.find(place, first.folders if more_allowed else None).names)
    expected = set(first.names)
    missing = sorted(expected - found)
    more = [] if more_allowed else sorted(found - expected)
    if missing or more:
        parts = [f"lacks {shortened(missing)}"] * bool(missing) + [f"has also {shortened(more)}"] * bool(more)
        raise InputError(
            f"{place}: {' and '.join(parts)}, unlike {first.root}; every condition must hold the same images"
        )


def _as_stored(side: int) -> Fit:
    return partial(_files.exactly, width=side, height=side)


def _as_originals_were_made(side: int) -> Fit:
    """Return what the originals did before they corrupted an image: 256 pixels bilinear, of which 224 were kept."""
    bilinear = Image.Resampling.BILINEAR
    return partial(_files.centre_square, side=side, shorter=round(side * 8 / 7), resampling=bilinear)
