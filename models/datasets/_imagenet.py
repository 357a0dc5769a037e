"""ImageNet's 1000 classes by the names of their folders (WordNet identifiers)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.datasets._listing import shortened
from models.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WNIDS = Path(__file__).parent.parent / "packaged" / "imagenet-wnids.txt"


@cache
def wnids() -> tuple[str, ...]:
    """Return the identifiers of the classes 0 to 999; they are sorted."""
    return tuple(WNIDS.read_text(encoding="utf-8").split())


def classes(root: Path, folders: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Return the class of each folder, int64 (number of folders,); None where they are all 1000 in order.

    Raises InputError where a folder is not named by a class.
    """
    import numpy as np  # noqa: PLC0415

    index = {wnid: number for number, wnid in enumerate(wnids())}
    strange = [folder for folder in folders if folder not in index]
    if strange:
        raise InputError(
            f"{root}: every sub-folder must be named by one of ImageNet's 1000 classes, such as {wnids()[0]}, "
            f"but not: {shortened(strange)}"
        )
    return None if folders == wnids() else np.array([index[folder] for folder in folders], np.int64)
