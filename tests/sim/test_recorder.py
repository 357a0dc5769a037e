from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.recorder import ROWS_HELD, Recorder, Table
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
    for number in range(2 * ROWS_HELD + 5):
        table.add(name="a", size=number, parts=None)
        held.append(table.held)
    assert max(held) < ROWS_HELD
    assert held[-1] == 5
    table.close()
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [
        ROWS_HELD,
        ROWS_HELD,
        5,
    ]
    assert file.read().column("size").to_pylist() == list(range(2 * ROWS_HELD + 5))


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
