"""The recorder: a few thousand rows are held, and go to parquet files as the run goes."""

from __future__ import annotations

from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sim.results import TABLES

ROWS_HELD = 1024
"""Rows of a table in memory before they are written."""


class Table:
    """One growing parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._names = tuple(schema.names)
        self._in_order = itemgetter(*self._names)
        self._rows: list[tuple[Any, ...]] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    @property
    def held(self) -> int:
        """Rows that are not written yet."""
        return len(self._rows)

    def add(self, **row: Any) -> None:
        """Add a row; raises TypeError unless it has exactly the table's columns."""
        try:
            values = self._in_order(row)
        except KeyError:  # the one check of names that costs nothing, since each is looked up anyway
            values = None
        if values is None or len(row) != len(values):
            raise TypeError(f"columns {sorted(row.keys() ^ set(self._names))} are missing or unknown")
        self._rows.append(values)
        if len(self._rows) >= ROWS_HELD:
            self.flush()

    def flush(self) -> None:
        """Write the held rows."""
        if self._rows:
            columns = dict(zip(self._names, zip(*self._rows, strict=True), strict=True))
            self._writer.write_table(pa.table(columns, schema=self.schema))
            self._rows = []

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
