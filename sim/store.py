"""The runs of studies on disk: each in a folder named by its content, so that nothing is computed twice."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sim.results import MANIFEST, SUMMARY

STUDY = "study.yaml"
TABLE = "runs.csv"
RUNS = "runs"

KEY_LENGTH = 16
"""Hexadecimal digits of the content hash in a folder's name."""


def key_of(content_hash: str) -> str:
    """Return the name of a run's folder."""
    return content_hash[:KEY_LENGTH]


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return a run's manifest; nothing where there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def is_finished(folder: Path, content_hash: str) -> bool:
    """Tell whether a folder holds the run with this content, complete."""
    manifest = manifest_of(folder)
    return (
        manifest.get("status") == "done"
        and manifest.get("content_hash") == content_hash
        and (folder / SUMMARY).is_file()
    )


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Create a run's folder if need be, and keep every other process out of it; waits while one is in it."""
    import fcntl  # noqa: PLC0415 - POSIX alone has it

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(
            OSError
        ):  # file systems without locks; then two studies must not share their runs at a time
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def clear(folder: Path) -> None:
    """Delete what is in a run's folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers find the old content or the new one, never a part of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def write_table(folder: Path, columns: Iterable[str], rows: Iterable[dict[str, object]]) -> None:
    """Write a study's table of runs, one row for each unit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / TABLE, text.getvalue())
