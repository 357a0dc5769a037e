"""What the user of a run should know beside its tables, one sentence each."""

from __future__ import annotations

from pathlib import Path

from analysis.reading import Source, folders_of, read_manifest
from analysis.units import listed
from sim.results import MANIFEST


def notes(source: Source) -> list[str]:
    """Return all notes on a result folder, those of each strategy behind its label."""
    return [
        f"{label}: {note}"
        for label, folder in folders_of(source).items()
        for note in (*_damaged(folder), *_hopeless(folder))
    ]


def _damaged(folder: Path) -> list[str]:
    """Name the images that could not be read and were left out."""
    damaged: dict[str, str] = read_manifest(folder).get("damaged", {})
    if not damaged:
        return []
    named = listed([f"{path} ({why})" for path, why in damaged.items()], others=f"more in {MANIFEST}")
    return [f"{len(damaged)} damaged images left out: {named}"]


def _hopeless(folder: Path) -> list[str]:
    """Name the budgets that can never carry some samples."""
    hopeless: dict[str, dict[str, int]] = read_manifest(folder).get("hopeless", {})
    return [
        f"budget {name!r} never has room for {found['samples']} samples, the smallest of which takes "
        f"{found['least_bytes']} bytes with its headers: all were withheld"
        for name, found in hopeless.items()
    ]
