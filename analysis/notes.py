"""What the user of a run should know beside its tables, one sentence each."""

from __future__ import annotations

from pathlib import Path

from analysis.reading import Source, folders_of, read_manifest
from sim.results import MANIFEST

MOST_NAMED = 3


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
    named = [f"{path} ({why})" for path, why in list(damaged.items())[:MOST_NAMED]]
    more = f" and {len(damaged) - MOST_NAMED} more in {MANIFEST}" if len(damaged) > MOST_NAMED else ""
    return [f"{len(damaged)} damaged images left out: {', '.join(named)}{more}"]


def _hopeless(folder: Path) -> list[str]:
    """Name the budgets that can never carry some samples."""
    hopeless: dict[str, dict[str, int]] = read_manifest(folder).get("hopeless", {})
    return [
        f"budget {name!r} never has room for {found['samples']} samples, the smallest of which takes "
        f"{found['least_bytes']} bytes with its headers: all were withheld"
        for name, found in hopeless.items()
    ]
