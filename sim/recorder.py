"""The recorder: rows go into column buffers and from there to parquet files as the run goes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sim.results import TABLES

ROWS_HELD = 4096
"""Rows of a table in memory before they are written."""


class Table:
    """One growing parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        self._held = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, **row: Any) -> None:
        """Add a row; raises TypeError unless it has exactly the table's columns."""
        if row.keys() != self._columns.keys():
            raise TypeError(f"columns {sorted(row.keys() ^ self._columns.keys())} are missing or unknown")
        for name, value in row.items():
            self._columns[name].append(value)
        self._held += 1
        if self._held >= ROWS_HELD:
            self.flush()

    def flush(self) -> None:
        """Write the held rows."""
        if self._held:
            self._writer.write_table(pa.table(self._columns, schema=self.schema))
            self._columns = {name: [] for name in self.schema.names}
            self._held = 0

    def close(self) -> None:
        """Write the held rows and finish the file."""
        try:
            self.flush()
        finally:
            self._writer.close()


class Recorder:
    """The tables of one run; a context manager, so that an interrupted run leaves readable files."""

    def __init__(self, folder: Path) -> None:
        tables = {name: Table(folder / name, schema) for name, schema in TABLES.items()}
        self.batches = tables["batches.parquet"]
        self.transfers = tables["transfers.parquet"]
        self.updates = tables["updates.parquet"]
        self.devices = tables["devices.parquet"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:  # one that cannot be finished leaves the others readable
            for table in (self.batches, self.transfers, self.updates, self.devices):
                closing.callback(table.close)
