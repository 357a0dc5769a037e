from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.clock import SECOND, Clock
from sim.link import Direction, Link
from sim.messages import Message
from sim.recorder import ROWS_WRITTEN, Recorder, Table, TransferRecorder
from sim.results import TABLES

SCHEMA = pa.schema([("name", pa.string()), ("size", pa.int32()), ("parts", pa.list_(pa.int32()))])


def test_rows_come_back_with_the_schema(tmp_path):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    rows = [{"name": "a", "size": 1, "parts": [1, 2]}, {"name": None, "size": None, "parts": []}]
    for row in rows:
        table.add(**row)
    table.close()
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.schema.equals(SCHEMA)
    assert read.to_pylist() == rows


def test_columns_may_be_given_in_any_order(tmp_path):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    table.add(parts=[3], size=1, name="a")
    table.add(size=2, name="b", parts=None)
    table.close()
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == [
        {"name": "a", "size": 1, "parts": [3]},
        {"name": "b", "size": 2, "parts": None},
    ]


def test_a_table_without_rows_has_its_columns(tmp_path):
    Table(tmp_path / "t.parquet", SCHEMA).close()
    read = pq.read_table(tmp_path / "t.parquet")
    assert (read.schema, len(read)) == (SCHEMA, 0)


def test_rows_are_written_once_enough_are_held(tmp_path):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    held = []
    for number in range(2 * ROWS_WRITTEN + 5):
        table.add(name="a", size=number, parts=None)
        held.append(table.held)
    assert max(held) < ROWS_WRITTEN
    assert held[-1] == 5
    table.close()
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [
        ROWS_WRITTEN,
        ROWS_WRITTEN,
        5,
    ]
    assert file.read().column("size").to_pylist() == list(range(2 * ROWS_WRITTEN + 5))


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"name": "a", "parts": []}, "size"),
        ({"name": "a", "size": 1, "parts": [], "colour": 1}, "colour"),
        ({"name": "a", "parts": [], "colour": 1}, "'colour', 'size'"),
        ({}, "name"),
    ],
)
def test_a_row_must_have_the_tables_columns(tmp_path, row, wrong):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    with pytest.raises(TypeError, match=wrong):
        table.add(**row)
    table.close()
    assert len(pq.read_table(tmp_path / "t.parquet")) == 0


def test_rows_in_the_tables_order(tmp_path):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    add = table.adder("name", "size", "parts")
    add(("a", 1, [2]))
    table.add(parts=[3], size=2, name="b")
    add(("c", None, None))
    table.close()
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == [
        {"name": "a", "size": 1, "parts": [2]},
        {"name": "b", "size": 2, "parts": [3]},
        {"name": "c", "size": None, "parts": None},
    ]


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        (("name", "parts"), "'size'. are missing"),
        (("name", "size", "colour"), "'colour', 'parts'. are missing"),
        (("size", "name", "parts"), "in this order: name, size, parts"),
        (("name", "size", "parts", "parts"), "in this order: name, size, parts"),
    ],
)
def test_rows_in_another_order_are_refused(tmp_path, columns, wrong):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    with pytest.raises(TypeError, match=wrong):
        table.adder(*columns)
    table.close()


@pytest.mark.parametrize("row", [(), ("a", 1), ("a", 1, [], 4)])
def test_a_row_of_another_length_is_refused(tmp_path, row):
    table = Table(tmp_path / "t.parquet", SCHEMA)
    with pytest.raises(TypeError, match=f"{len(row)} values for 3 columns"):
        table.adder("name", "size", "parts")(row)
    table.close()
    assert len(pq.read_table(tmp_path / "t.parquet")) == 0


def test_messages_are_recorded_with_what_is_known_of_them(tmp_path):
    """A byte takes a microsecond, and the latency is 100; the last message waits at the end."""
    clock = Clock()
    with Recorder(tmp_path) as recorder:
        observe = TransferRecorder(recorder.transfers, clock, "cameras-0", "cameras", "down").record
        way = Direction(8.0, latency_ms=0.1, header_bytes=10)
        link = Link(clock, way, lambda: pytest.fail("draws nothing"), lambda _: None, observe)
        for version in (1, 2, 3, 4):
            link.send(90, Message("update", "cameras-0", b"", version=version))
        clock.run(until=250_000)
        for transfer in link.unfinished:
            observe(transfer)
    common = {
        "device": "cameras-0",
        "group": "cameras",
        "direction": "down",
        "kind": "update",
        "samples": 0,
        "quality": None,
    }
    sizes = {"payload_bytes": 90, "header_bytes": 10, "retransmitted_bytes": 0}
    expected = [
        ("delivered", 0, 100_000, 200_000),
        ("in_flight", 100_000, 200_000, None),
        ("in_flight", 200_000, 300_000, None),
        ("queued", None, 400_000, None),  # its link knows when it will be sent
    ]
    assert pq.read_table(tmp_path / "transfers.parquet").to_pylist() == [
        common
        | sizes
        | {"message": number, "version": number + 1, "status": status, "queued_s": 0.0}
        | {"attempts": 0 if start is None else 1}
        | {
            name: None if time is None else time / SECOND
            for name, time in (("start_s", start), ("sent_s", sent), ("delivered_s", delivered))
        }
        for number, (status, start, sent, delivered) in enumerate(expected)
    ]


def test_a_recorder_writes_every_table(tmp_path):
    with Recorder(tmp_path):
        pass
    assert {path.name: pq.read_schema(path) for path in tmp_path.iterdir()} == TABLES


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_readable_tables(tmp_path, error):
    with pytest.raises(error), Recorder(tmp_path) as recorder:
        recorder.updates.add(**dict.fromkeys(TABLES["updates.parquet"].names) | {"student": "fleet"})
        raise error
    assert pq.read_table(tmp_path / "updates.parquet").column("student").to_pylist() == ["fleet"]
    assert len(pq.read_table(tmp_path / "batches.parquet")) == 0


def test_a_table_that_cannot_be_finished_leaves_the_others_readable(tmp_path):
    columns = TABLES["batches.parquet"].names
    with pytest.raises(OverflowError), Recorder(tmp_path) as recorder:
        recorder.batches.add(**dict.fromkeys(columns) | {"batch": 2**63})  # more than 64 bits hold
    assert len(pq.read_table(tmp_path / "devices.parquet")) == 0
