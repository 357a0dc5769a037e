"""Labelled images in files, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.datasets._cache import ImageCache
from models.datasets._listing import Listing
from models.errors import InputError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
"""What is decoded, whatever a file is called: data sets hold files that bear another format's name."""
NARROWEST = 100
"""Longer side divided by shorter side that no photograph exceeds; a broken header may say anything."""

Fit = Callable[[Image.Image], Image.Image]
"""Brings a decoded image, RGB, to the size that the data set has."""


@dataclass
class ImageFiles:
    """A data set of files, each decoded when it is read.

    A file that cannot be decoded is left out of what is read and remembered with the reason. Several threads may
    read at a time.

    Attributes:
        root: the folder.
        names: of the files, relative to it.
        labels: int64 (N,).
        shape: (H, W, 3), as `fit` leaves an image.
        fit: brings an image to this shape.
        classes: the model's class of each label, int64 (number of classes,), or None.
        cropped: whether the images are already the part that a model should see.
        cache: images decoded before.

    """

    root: Path
    names: Sequence[str]
    labels: NDArray[np.int64]
    shape: tuple[int, int, int]
    fit: Fit
    classes: NDArray[np.int64] | None = None
    cropped: bool = False
    cache: ImageCache = field(default_factory=ImageCache)
    _damaged: dict[str, str] = field(default_factory=dict)

    def path(self, index: int) -> str:
        """Return the path of an image."""
        return str(self.root / self.names[index])

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the images that can be read, uint8 (m, H, W, 3), and which of the indices (n,) they are, bool (n,)."""
        decoded = [self._image(self.path(index)) for index in indices.tolist()]
        images = [image for image in decoded if image is not None]
        present = np.array([image is not None for image in decoded], np.bool_)
        return (np.stack(images) if images else np.zeros((0, *self.shape), np.uint8)), present

    def damaged(self, indices: NDArray[np.int64]) -> dict[str, str]:
        """Return those of the files read so far behind the indices that could not be, by path, with the reason."""
        paths = sorted({self.path(index) for index in indices.tolist()})
        return {path: self._damaged[path] for path in paths if path in self._damaged}

    def _image(self, path: str) -> NDArray[np.uint8] | None:
        known = self.cache.get(path)
        if known is not None or path in self._damaged:
            return known
        try:
            image = decode(path, self.fit)
        except Exception as error:  # a damaged file makes Pillow raise anything
            self._damaged[path] = str(error) or type(error).__name__
            return None
        self.cache.put(path, image)
        return image


def photographs(listing: Listing, side: int, classes: NDArray[np.int64] | None) -> ImageFiles:
    """Return a data set of photographs of any size: the shorter side becomes `side`, the centre is kept."""
    fit = partial(centre_square, side=side, shorter=side, resampling=Image.Resampling.BICUBIC)
    return ImageFiles(listing.root, listing.names, listing.labels, (side, side, 3), fit, classes)


def decode(path: str, fit: Fit) -> NDArray[np.uint8]:
    """Read an image file as uint8 (H, W, 3).

    Grey, palette and CMYK images become RGB, an alpha channel is dropped, and an orientation given in the file is
    ignored, as is usual for ImageNet. Raises whatever Pillow raises where the file is damaged.
    """
    with Image.open(path, formats=FORMATS) as image:
        return np.array(fit(_to_rgb(image)), np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "P":  # Pillow warns where a palette with transparency loses it at once
        image = image.convert("RGBA")
    return image.convert("RGB")


def centre_square(image: Image.Image, side: int, shorter: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the shorter side to `shorter` pixels, in proportion, and cut out the centre, (side, side).

    An image that is (side, side) already is left as it is. Rounds as torchvision's Resize and CenterCrop do.
    """
    if image.size == (side, side):
        return image
    least = min(image.size)
    if max(image.size) > NARROWEST * least:
        raise ValueError(
            f"{image.size[0]} x {image.size[1]} pixels: one side is more than {NARROWEST} times the other"
        )
    width, height = (int(length * shorter / least) for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.resize((width, height), resampling).crop((left, top, left + side, top + side))


def exactly(image: Image.Image, width: int, height: int) -> Image.Image:
    """Leave an image as it is; ValueError unless it has this size."""
    if image.size != (width, height):
        raise ValueError(f"{image.size[0]} x {image.size[1]} pixels where {width} x {height} are needed")
    return image


def first_size(root: Path, names: Sequence[str]) -> tuple[int, int]:
    """Return width and height of the first image that can be opened; InputError where none can."""
    for name in names:
        try:
            with Image.open(root / name, formats=FORMATS) as image:
                return image.size
        except Exception:  # damaged, in whatever way; its turn comes when it is read
            continue
    raise InputError(f"{root}: none of its {len(names)} image files can be read, such as {names[0]}")
