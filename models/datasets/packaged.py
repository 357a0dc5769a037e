"""The data sets that come with the laboratory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from models.datasets import Base, Images

FOLDER = Path(__file__).parent.parent / "packaged"


class Packaged(Base):
    """`{packaged: fashion-mnist}`: the 10 000 test images of Fashion-MNIST (https://arxiv.org/abs/1708.07747)."""

    packaged: Literal["fashion-mnist"]

    def load(self) -> Images:
        """Read the packaged archive."""
        from models.datasets import _archive  # noqa: PLC0415

        return _archive.read(FOLDER / f"{self.packaged}-test.npz")
