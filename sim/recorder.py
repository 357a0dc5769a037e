"""The recorder: rows go into column buffers, and these to parquet files as the run goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sim.clock import Clock, seconds
from sim.results import TABLES

if TYPE_CHECKING:
    from sim.messages import Message
    from sim.transfer import Transfer

ROWS_HELD = 1024
"""Rows of a table in memory as Python's objects before they become columns of Arrow, which are much smaller."""
ROWS_WRITTEN = 8 * ROWS_HELD
"""Rows of a table in memory before they are written: a group of rows costs parquet much, whatever its size."""


class Table:
    """One growing parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._names = tuple(schema.names)
        self._in_order = itemgetter(*self._names)
        self._values: list[Any] = []  # row after row: a list of rows would give the garbage collector work
        self._columns: list[pa.Table] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    @property
    def held(self) -> int:
        """Rows that are not written yet."""
        return len(self._values) // len(self._names) + sum(map(len, self._columns))

    def add(self, **row: Any) -> None:
        """Add a row; raises TypeError unless it has exactly the table's columns."""
        try:
            values = self._in_order(row)
        except KeyError:  # the one check of names that costs nothing, since each is looked up anyway
            values = None
        if values is None or len(row) != len(values):
            raise self._wrong(set(row))
        self._append(values)

    def adder(self, *columns: str) -> Callable[[tuple[Any, ...]], None]:
        """Return what adds a row of values in the order of `columns`: names are checked here, once for all rows.

        Raises TypeError unless they are the table's columns in their order; so does what is returned for a row that
        has more values or fewer.
        """
        if columns != self._names:
            raise self._wrong(set(columns))
        return self._append

    def _wrong(self, names: set[str]) -> TypeError:
        wrong = sorted(names ^ set(self._names))
        if wrong:
            return TypeError(f"columns {wrong} are missing or unknown")
        return TypeError(f"the columns are, in this order: {', '.join(self._names)}")

    def _append(self, values: tuple[Any, ...]) -> None:
        if len(values) != len(self._names):
            raise TypeError(f"{len(values)} values for {len(self._names)} columns")
        self._values.extend(values)
        if len(self._values) >= ROWS_HELD * len(self._names):
            self._turn()
            if self.held >= ROWS_WRITTEN:
                self.flush()

    def _turn(self) -> None:
        """Turn the held values into columns."""
        if self._values:
            values, self._values = self._values, []
            columns = {name: values[number :: len(self._names)] for number, name in enumerate(self._names)}
            self._columns.append(pa.table(columns, schema=self.schema))

    def flush(self) -> None:
        """Write the held rows."""
        self._turn()
        if self._columns:
            self._writer.write_table(pa.concat_tables(self._columns))
            self._columns = []

    def close(self) -> None:
        """Write the held rows and finish the file."""
        try:
            self.flush()
        finally:
            self._writer.close()


class TransferRecorder:
    """Writes the messages of one direction of one device's link, whose contents are `sim.messages.Message`."""

    __slots__ = ("_add", "clock", "device", "direction", "group")

    def __init__(self, table: Table, clock: Clock, device: str, group: str | None, direction: str) -> None:
        self.clock = clock
        self.device = device
        self.group = group
        self.direction = direction
        self._add = table.adder(
            "device",
            "group",
            "direction",
            "message",
            "kind",
            "status",
            "samples",
            "quality",
            "version",
            "payload_bytes",
            "header_bytes",
            "retransmitted_bytes",
            "attempts",
            "queued_s",
            "start_s",
            "sent_s",
            "delivered_s",
        )

    def record(self, transfer: Transfer) -> None:
        """Add the row of a message that has arrived or never will, or that the end of the run leaves on its way."""
        start, sent, delivered = transfer.start_at, transfer.sent_at, transfer.delivered_at
        attempts = transfer.attempts
        if delivered is not None:
            status = "delivered"
        elif transfer.has_started(self.clock.time):
            status = transfer.fate or "in_flight"
        else:
            status = transfer.fate or "queued"
            start = None  # a link of its own knows it beforehand
            attempts = 0
        message: Message = transfer.content
        self._add(
            (
                self.device,
                self.group,
                self.direction,
                transfer.message,
                message.kind,
                status,
                message.samples,
                message.quality,
                message.version,
                transfer.payload_bytes,
                transfer.header_bytes,
                transfer.retransmitted_bytes,
                attempts,
                seconds(transfer.queued_at),
                None if start is None else seconds(start),
                None if sent is None else seconds(sent),
                None if delivered is None else seconds(delivered),
            )
        )


class Recorder:
    """The tables of one run; a context manager, so that an interrupted run leaves readable files."""

    def __init__(self, folder: Path) -> None:
        tables = {name: Table(folder / name, schema) for name, schema in TABLES.items()}
        self.batches = tables["batches.parquet"]
        self.transfers = tables["transfers.parquet"]
        self.updates = tables["updates.parquet"]
        self.devices = tables["devices.parquet"]
        self.cloud = tables["cloud.parquet"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:  # one that cannot be finished leaves the others readable
            for table in (self.batches, self.transfers, self.updates, self.devices, self.cloud):
                closing.callback(table.close)
