from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.comparison import comparison, paired_difference, write_comparison
from analysis.reading import read_table


def test_one_row_per_strategy(both: Path) -> None:
    table = comparison(both)
    assert table["strategy"].tolist() == ["source", "cema"]
    assert table["accuracy"].tolist() == [0.46, 40 / 60]
    assert table["uplink_bytes"].tolist() == [0, 3620]
    assert not {"accuracy_by_shift", "ledger", "accuracy_interval"} & set(table)


def test_difference_is_paired_by_device_and_batch(source: Path, cema: Path) -> None:
    difference, samples = paired_difference(source, cema)
    assert samples == 50  # lte-0's second batch was dropped by one of the two
    assert difference.estimate == 10 / 50
    assert (difference.low, difference.high) == (0.2, 0.2)
    assert not difference.resolved  # three devices are too few


def test_difference_to_the_first_strategy(both: Path) -> None:
    table = comparison(both).set_index("strategy")
    assert table["reference"].tolist() == ["source", "source"]
    assert table.loc["cema", ["accuracy_difference", "paired_samples"]].tolist() == [0.2, 50]
    assert math.isnan(table.loc["source", "accuracy_difference"])


def test_the_reference_is_the_first_of_the_folders_given(source: Path, cema: Path) -> None:
    table = comparison({"cema": cema, "source": source}).set_index("strategy")
    assert table.loc["source", "accuracy_difference"] == -0.2


def test_seven_devices_resolve_a_difference(writer: Callable[..., Path], tmp_path: Path) -> None:
    def run(name: str, correct: int) -> Path:
        row = {"group": "g", "batch": 0, "status": "predicted", "arrival_s": 1.0, "completion_s": 1.5}
        row |= {"corruption": "none", "severity": 0, "samples": 10, "correct": correct}
        return writer(tmp_path / name, name, {"batches": [row | {"device": f"g-{i}"} for i in range(7)]})

    difference, _samples = paired_difference(run("a", 5), run("b", 6))
    assert (difference.estimate, difference.resolved) == (0.1, True)


def test_runs_of_other_moments_are_not_paired(
    writer: Callable[..., Path], source: Path, tmp_path: Path
) -> None:
    batches = read_table(source, "batches").assign(arrival_s=5.0)
    rows = [
        {k: v for k, v in row.items() if pd.notna(v)}
        for row in batches.drop(columns="image").to_dict("records")
    ]
    difference, samples = paired_difference(source, writer(tmp_path / "other", "other", {"batches": rows}))
    assert (difference.units, samples) == (0, 0)


def test_written_beside_the_strategies(both: Path) -> None:
    table = write_comparison(both)
    written = pd.read_csv(both / "comparison.csv")
    assert written["strategy"].tolist() == ["source", "cema"]
    assert written["accuracy"].tolist() == table["accuracy"].tolist()


def test_a_single_strategy_is_not_compared(cema: Path) -> None:
    assert len(write_comparison(cema)) == 1
    assert not (cema / "comparison.csv").exists()


def test_a_failed_strategy_has_its_status(both: Path) -> None:
    for table in (both / "source").glob("*.parquet"):
        table.unlink()
    (both / "source" / "manifest.json").write_text(json.dumps({"strategy": "source", "status": "failed"}))
    table = comparison(both)
    assert table["status"].tolist() == ["failed", "done"]
    assert math.isnan(table.loc[0, "accuracy"])
    assert table.loc[1, "reference"] == "cema"
