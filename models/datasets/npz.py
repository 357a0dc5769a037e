"""A NumPy archive with `images`, uint8 (N, H, W, C), and `labels`, integers (N,)."""

from __future__ import annotations

from models.datasets import Base, Images
from scenarios.settings import ExistingFile


class Npz(Base):
    """`{npz: FILE}`, relative to the scenario's folder."""

    npz: ExistingFile

    def load(self) -> Images:
        """Read the archive; raises InputError naming what is missing or of the wrong type or shape."""
        from models.datasets import _archive  # noqa: PLC0415

        return _archive.read(self.npz)
