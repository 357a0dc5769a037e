from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.measures import Measures, compared_pairs, measured
from analysis.reading import ResultsError
from analysis.runs import read_runs
from analysis.seeds import seed_interval
from analysis.study import conclude_study


@pytest.fixture(scope="module")
def measures(study_as_left: Path) -> Measures:
    return Measures(read_runs(study_as_left))


def _row(table: pd.DataFrame, **where: str) -> dict[str, object]:
    for column, value in where.items():
        table = table[table[column] == value]
    [row] = table.to_dict("records")
    return {str(key): value for key, value in row.items()}


def test_one_row_per_run(measures: Measures) -> None:
    table = measures.measured
    assert len(table) == 30
    assert list(table)[:4] == ["world", "strategy", "seed", "folder"]
    row = _row(table[table["seed"] == 1], strategy="cema", world="mild")
    assert (row["accuracy"], row["uplink_bytes"]) == (pytest.approx(19 / 30), 3_000)
    assert math.isnan(float(str(row["staleness_p50_s"])))


def test_a_summary_on_disk_is_believed(study: Path) -> None:
    (study / "runs" / "mildsource0" / "summary.json").write_text(json.dumps({"accuracy": 0.5, "extra": 2}))
    row = measured(read_runs(study)).iloc[0]
    assert (row["accuracy"], row["extra"]) == (0.5, 2)


def test_one_row_per_point_and_strategy_and_the_mean_first(measures: Measures) -> None:
    table = measures.table
    assert list(zip(table["world"], table["strategy"], strict=True)) == [
        (world, label) for world in ("(mean)", "mild", "harsh") for label in ("source", "cema", "random-cema")
    ]
    row = _row(table, world="mild", strategy="source")
    expected = seed_interval([count / 30 for count in (18, 17, 18, 17, 18)])
    assert [row["accuracy"], row["accuracy_low"], row["accuracy_high"]] == pytest.approx(
        [expected.estimate, expected.low, expected.high]
    )
    assert (row["seeds"], row["across"]) == (5, "seeds")
    assert [row[f"uplink_bytes{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]
    assert _row(table, world="(mean)", strategy="cema")["upload_share"] == pytest.approx(0.1)


def test_differences_are_paired_by_seed(measures: Measures) -> None:
    row = _row(measures.differences, world="mild", strategy="cema", reference="source")
    expected = seed_interval([2 / 30, 2 / 30, 3 / 30, 2 / 30, 2 / 30])
    assert [row["accuracy_difference"], row["difference_low"], row["difference_high"]] == pytest.approx(
        [expected.estimate, expected.low, expected.high]
    )
    assert (row["difference_resolved"], row["seeds"], row["kind"]) == (True, 5, "first")
    assert row["paired_samples"] == 5 * 60


def test_the_mean_over_points_is_taken_before_the_interval(measures: Measures) -> None:
    row = _row(measures.differences, world="(mean)", strategy="cema", reference="source")
    assert row["accuracy_difference"] == pytest.approx(2.6 / 30)
    assert row["difference_low"] == pytest.approx(2.5 / 30)


def test_the_matched_partner_is_a_reference_too(measures: Measures) -> None:
    row = _row(measures.differences, world="mild", strategy="cema", reference="random-cema")
    assert (row["kind"], row["accuracy_difference"]) == ("matched", pytest.approx(0.2 / 30))
    assert row["difference_resolved"] is False  # zero with four seeds of five
    assert [tuple(pair) for pair in compared_pairs(measures.runs)] == [
        ("cema", "source", "first"),
        ("random-cema", "source", "first"),
        ("cema", "random-cema", "matched"),
    ]


def test_a_partner_that_comes_first_is_the_reference_once(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    folder = study_writer(tmp_path / "s", ("random-cema", "cema", "source"), range(1), ())
    measures = Measures(read_runs(folder))
    assert [tuple(pair)[:2] for pair in compared_pairs(measures.runs)] == [
        ("cema", "random-cema"),
        ("source", "random-cema"),
    ]
    assert conclude_study(folder)


def test_a_seed_that_one_of_a_pair_lacks_does_not_count(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    failed = (("cema", 2, "mild"),)
    measures = Measures(read_runs(study_writer(tmp_path / "s", ("source", "cema"), failed=failed)))
    row = _row(measures.differences, world="mild", strategy="cema", reference="source")
    assert (row["seeds"], row["accuracy_difference"]) == (4, pytest.approx(2 / 30))
    assert row["difference_resolved"] is False
    assert _row(measures.table, world="mild", strategy="source")["seeds"] == 5
    assert _row(measures.table, world="(mean)", strategy="cema")["seeds"] == 4


def test_one_seed_has_intervals_across_devices(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    measures = Measures(read_runs(study_writer(tmp_path / "s", seeds=range(1), worlds=())))
    assert measures.runs.points == [()]
    row = _row(measures.table, strategy="cema")
    assert (row["across"], row["seeds"], row["accuracy"]) == ("devices", 1, pytest.approx(20 / 30))
    assert math.isnan(float(str(row["uplink_bytes_low"])))
    difference = _row(measures.differences, strategy="cema", reference="source")
    assert (difference["across"], difference["difference_resolved"]) == ("devices", False)


def test_other_batches_give_no_difference(study: Path, small_run: Callable[..., Path]) -> None:
    for seed in range(5):
        folder = small_run(study / "runs" / f"mildcema{seed}", "cema", seed, (8, 5, 7))
        batches = pd.read_parquet(folder / "batches.parquet")
        batches.assign(arrival_s=batches["arrival_s"] + 1).to_parquet(folder / "batches.parquet")
    row = _row(Measures(read_runs(study)).differences, world="mild", strategy="cema", reference="source")
    assert math.isnan(float(str(row["accuracy_difference"])))
    assert (row["seeds"], row["across"], row["paired_samples"]) == (0, "", 0)


def test_an_axis_named_like_a_result_is_a_mistake(study: Path) -> None:
    path = study / "runs.csv"
    pd.read_csv(path).rename(columns={"world": "accuracy"}).to_csv(path, index=False)
    with pytest.raises(ResultsError, match="axis 'accuracy' has the name of a result; give it another"):
        measured(read_runs(study))


def test_a_damaged_summary_is_named(study: Path) -> None:
    path = study / "runs" / "mildsource0" / "summary.json"
    for text, problem in (("{", "cannot be read as JSON"), ("[]", "expected a mapping, found list")):
        path.write_text(text)
        with pytest.raises(ResultsError, match=problem):
            measured(read_runs(study))
