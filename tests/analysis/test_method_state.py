from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from analysis.method_state import criteria_over_time, losses_over_time, replay_age_over_time


@pytest.fixture
def run(writer: Callable[..., Path], tmp_path: Path) -> Path:
    device = {"device": "a-0", "group": "wired"}
    states = [[("unreliable.e_max", 0.9), ("low_informative.e_min", 0.1)], None, [("unreliable.e_max", 0.8)]]
    batches = [device | {"arrival_s": float(i), "criteria_state": state} for i, state in enumerate(states)]
    first = {"student": "fleet", "start_s": 1.0, "finish_s": 2.0, "distillation_loss": 0.5}
    first |= {"replay_samples": 32, "replay_age_s": [0.0, 1.0, 2.0, 3.0, 4.0]}
    updates = [first, {"student": "fleet", "start_s": 3.0, "finish_s": 4.0}]
    return writer(tmp_path / "run", "cema", {"batches": batches, "updates": updates})


def test_a_row_for_each_number_of_a_criterion(run: Path) -> None:
    table = criteria_over_time(run)
    assert table[["arrival_s", "key", "value"]].to_numpy().tolist() == [
        [0.0, "low_informative.e_min", 0.1],
        [0.0, "unreliable.e_max", 0.9],
        [2.0, "unreliable.e_max", 0.8],
    ]


def test_losses_that_exist(run: Path) -> None:
    table = losses_over_time(run)
    assert list(table) == ["student", "finish_s", "distillation_loss"]
    assert table.to_numpy().tolist() == [["fleet", 2.0, 0.5]]


def test_ages_by_quantile(run: Path) -> None:
    [row] = replay_age_over_time(run).to_dict("records")
    assert (row["replay_samples"], row["start_s"]) == (32, 1.0)
    assert [row[f"age_p{level}_s"] for level in (0, 25, 50, 75, 100)] == [0, 1, 2, 3, 4]


def test_older_folders_have_no_state(run: Path) -> None:
    for name, columns in (("batches", ["criteria_state"]), ("updates", ["replay_samples", "replay_age_s"])):
        path = run / f"{name}.parquet"
        pq.write_table(pq.read_table(path).drop_columns(columns), path)
    assert criteria_over_time(run).empty
    assert replay_age_over_time(run).empty
    assert list(losses_over_time(run)["distillation_loss"]) == [0.5]


def test_a_run_without_steps_has_nothing(writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = writer(tmp_path / "source", "source", {})
    tables: list[pd.DataFrame] = [tabulate(folder) for tabulate in (criteria_over_time, losses_over_time)]
    assert all(table.empty for table in [*tables, replay_age_over_time(folder)])
