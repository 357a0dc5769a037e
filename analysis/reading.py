"""Result folders as they lie on disk: tables, manifest, scenario, and the strategies in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sim.results import BATCHES, LATER_TABLES, MANIFEST, SCENARIO, TABLES

Source = Path | Mapping[str, Path]
"""A result folder, or the folders to compare by label (the first one is the reference)."""


class ResultsError(Exception):
    """A result folder cannot be used; the message names the folder or file and says what is wrong."""


def read_table(
    folder: Path, name: str, columns: list[str] | None = None, optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the table `name` (`batches`, `transfers`, `updates`, `devices` or `cloud`), or some of its columns.

    Columns are those of `sim.results`; integers with gaps come as floats with NaN. Columns in `optional`
    follow where the file has them. Raises ResultsError where the file is missing, is cut short or lacks a
    column.
    """
    file_name = f"{name.removesuffix('.parquet')}.parquet"
    path = _file(folder, file_name)
    wanted = TABLES[file_name].names if columns is None else columns
    try:
        present = pq.read_schema(path).names
        absent = [column for column in wanted if column not in present]
        if absent:
            raise ResultsError(
                f"{path}: column {absent[0]!r} is missing; another version may have written it"
            )
        wanted = [*wanted, *(column for column in optional if column in present)]
        frame = pq.read_table(path, columns=wanted).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise ResultsError(f"{path}: cannot be read as a parquet file ({_first_line(error)})") from error
    assert isinstance(frame, pd.DataFrame)
    return frame


def read_predicted(folder: Path, columns: list[str]) -> pd.DataFrame:
    """Read some columns of the batches that were predicted, one row per batch."""
    frame = read_table(folder, "batches", sorted({"status", *columns}, key=BATCHES.names.index))
    return frame.loc[frame["status"] == "predicted", columns].reset_index(drop=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the run's manifest (status, seed, strategy, simulated_s, wall_s, versions ...)."""
    path = _file(folder, MANIFEST)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path}: cannot be read as JSON ({_first_line(error)})") from error
    return _mapping(path, manifest)


def read_scenario(folder: Path) -> dict[str, Any]:
    """Read the fully resolved scenario that was run, as plain data."""
    path = _file(folder, SCENARIO)
    try:
        scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise ResultsError(f"{path}: cannot be read as YAML ({_first_line(error)})") from error
    return _mapping(path, scenario)


def strategy_folders(folder: Path) -> dict[str, Path]:
    """Find the strategies that a result folder holds: label -> folder, in the scenario's order.

    The folder of a single strategy gives itself. Strategies that no scenario lists come last, by name.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder")
    if (folder / "batches.parquet").is_file():
        return {_label(folder): folder}
    found: dict[str, Path] = {}
    for child in sorted(path.parent for path in folder.glob(f"*/{MANIFEST}")):
        label = _label(child)
        if label in found:
            raise ResultsError(f"{folder}: both {found[label].name} and {child.name} hold strategy {label!r}")
        found[label] = child
    if found:
        return _in_scenario_order(folder, found)
    if (folder / MANIFEST).is_file():
        return {_label(folder): folder}
    raise ResultsError(f"{folder}: not a result folder (no {MANIFEST} in it or in a folder inside it)")


def folders_of(source: Source) -> dict[str, Path]:
    """Resolve a result folder, or folders given by label, to label -> folder of one strategy each."""
    return strategy_folders(source) if isinstance(source, Path) else dict(source)


def with_tables(source: Source) -> dict[str, Path]:
    """Find the strategies that left all their tables behind: one failed run never spoils the others'.

    Raises ResultsError where none did.
    """
    folders = folders_of(source)
    complete = {label: path for label, path in folders.items() if has_tables(path)}
    if not complete:
        first = next(iter(folders.values()))
        missing = next(name for name in TABLES if not (first / name).is_file())
        raise ResultsError(f"{first}: {missing} is missing; the run ended before it wrote results")
    return complete


def has_tables(folder: Path) -> bool:
    """Say whether the folder of one strategy holds all tables that every version writes."""
    return all((folder / name).is_file() for name in TABLES if name not in LATER_TABLES)


def _file(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder")
    path = folder / name
    if not path.is_file():
        raise ResultsError(f"{folder}: not a result folder of one strategy ({name} is missing)")
    return path


def _mapping(path: Path, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ResultsError(f"{path}: expected a mapping, found {type(content).__name__}")
    return content


def _label(folder: Path) -> str:
    return str(read_manifest(folder).get("strategy", folder.name))


def _in_scenario_order(folder: Path, found: dict[str, Path]) -> dict[str, Path]:
    order: list[str] = []
    for place in (folder, *found.values()):
        if (place / SCENARIO).is_file():
            listed = read_scenario(place).get("strategy", [])
            listed = listed if isinstance(listed, list) else [listed]
            labels = [str(entry.get("label") or entry.get("name")) for entry in listed]
            order = max(order, labels, key=len)
    rank = {label: position for position, label in enumerate(order)}
    return {
        label: found[label] for label in sorted(found, key=lambda label: (rank.get(label, len(rank)), label))
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]
