from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.forgetting import first_shifted_batches, forgetting
from analysis.runs import read_runs


def test_clean_batches_after_the_first_shift_count(study_as_left: Path) -> None:
    table = forgetting(read_runs(study_as_left)).set_index(["world", "strategy"])
    assert table.index.tolist() == [
        (world, label) for world in ("(mean)", "mild", "harsh") for label in ("cema", "random-cema")
    ]
    row = table.loc[("mild", "cema")]
    assert row["clean_accuracy_difference"] == pytest.approx(-0.1)  # 7 of 10 after the fog, the source 8
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((-0.1, -0.1))
    assert (row["reference"], row["seeds"], row["across"]) == ("source", 5, "seeds")
    assert row["paired_samples"] == 5 * 2 * 10
    assert bool(row["difference_resolved"])
    assert table.loc[("mild", "random-cema"), "clean_accuracy_difference"] == 0


def test_a_dropped_batch_begins_a_shift_too(small_run: Callable[..., Path], tmp_path: Path) -> None:
    path = small_run(tmp_path, "source", 0, (8, 2, 8)) / "batches.parquet"
    batches = pd.read_parquet(path)
    batches.loc[batches["corruption"] == "fog", "status"] = "dropped"
    batches.to_parquet(path)
    assert first_shifted_batches(tmp_path).to_dict() == {"cam-0": 1, "cam-1": 1}


def test_without_a_return_to_clean_there_is_nothing_to_forget(study: Path) -> None:
    for path in study.glob("runs/mild*/batches.parquet"):
        batches = pd.read_parquet(path)
        batches.assign(corruption="fog", severity=5).to_parquet(path)
    table = forgetting(read_runs(study))
    assert table["world"].unique().tolist() == ["(mean)", "harsh"]
    assert table.loc[0, "clean_accuracy_difference"] == pytest.approx(-0.1)


def test_without_source_the_first_strategy_is_the_reference(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    table = forgetting(read_runs(study_writer(tmp_path / "s", ("random-cema", "cema"), worlds=())))
    assert table[["strategy", "reference"]].to_numpy().tolist() == [["cema", "random-cema"]]
