from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.reading import (
    ResultsError,
    folders_of,
    read_manifest,
    read_predicted,
    read_scenario,
    read_table,
    strategy_folders,
    with_tables,
)


def test_reads_the_columns_asked_for(cema: Path) -> None:
    assert list(read_table(cema, "devices", ["device", "flops"])) == ["device", "flops"]
    assert len(read_table(cema, "transfers")) == 4


def test_optional_columns_come_where_the_file_has_them(cema: Path) -> None:
    table = read_table(cema, "devices", ["device"], optional=["flops", "samples_of_another_version"])
    assert list(table) == ["device", "flops"]


def test_reads_predicted_batches_only(source: Path) -> None:
    assert read_predicted(source, ["correct"])["correct"].tolist() == [8, 4, 6, 2, 3]


def test_infinity_in_the_scenario_is_a_number(cema: Path) -> None:
    assert read_scenario(cema)["groups"]["wired"]["compute"]["gflops"] == math.inf


def test_strategies_come_in_the_scenarios_order(both: Path) -> None:
    assert strategy_folders(both) == {"source": both / "source", "cema": both / "cema"}
    assert list(strategy_folders(both)) == ["source", "cema"]


def test_a_single_strategys_folder_gives_itself(cema: Path) -> None:
    assert strategy_folders(cema) == {"cema": cema}


def test_folders_given_by_label_stay_as_they_are(cema: Path) -> None:
    assert folders_of({"mine": cema}) == {"mine": cema}


def test_a_strategy_without_tables_is_left_out(both: Path) -> None:
    (both / "source" / "batches.parquet").unlink()
    assert list(with_tables(both)) == ["cema"]


def _message(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(ResultsError) as caught:
        call(*arguments)
    return str(caught.value)


def test_no_such_folder(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert _message(strategy_folders, missing) == f"{missing}: no such folder"
    assert _message(read_manifest, missing) == f"{missing}: no such folder"


def test_not_a_result_folder(tmp_path: Path) -> None:
    expected = f"{tmp_path}: not a result folder (no manifest.json in it or in a folder inside it)"
    assert _message(strategy_folders, tmp_path) == expected


def test_a_missing_file(cema: Path) -> None:
    (cema / "updates.parquet").unlink()
    expected = f"{cema}: not a result folder of one strategy (updates.parquet is missing)"
    assert _message(read_table, cema, "updates") == expected


def test_no_strategy_left_results(cema: Path) -> None:
    (cema / "updates.parquet").unlink()
    expected = f"{cema}: updates.parquet is missing; the run ended before it wrote results"
    assert _message(with_tables, cema) == expected


def test_a_file_cut_short(cema: Path) -> None:
    path = cema / "updates.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert _message(read_table, cema, "updates").startswith(f"{path}: cannot be read as a parquet file (")


def test_a_missing_column(cema: Path) -> None:
    path = cema / "updates.parquet"
    pq.write_table(pa.table({"student": ["fleet"]}), path)
    expected = f"{path}: column 'version' is missing; another version may have written it"
    assert _message(read_table, cema, "updates", ["student", "version"]) == expected


def test_a_manifest_that_is_not_json(cema: Path) -> None:
    (cema / "manifest.json").write_text("{")
    assert _message(read_manifest, cema).startswith(f"{cema / 'manifest.json'}: cannot be read as JSON (")
    (cema / "manifest.json").write_text("[]")
    assert _message(read_manifest, cema) == f"{cema / 'manifest.json'}: expected a mapping, found list"


def test_a_scenario_that_is_not_yaml(cema: Path) -> None:
    (cema / "scenario.yaml").write_text("a: [")
    assert _message(read_scenario, cema).startswith(f"{cema / 'scenario.yaml'}: cannot be read as YAML (")


def test_two_runs_of_one_strategy(both: Path) -> None:
    (both / "source" / "manifest.json").write_text('{"strategy": "cema"}')
    assert _message(strategy_folders, both) == f"{both}: both cema and source hold strategy 'cema'"
