from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.reading import ResultsError
from analysis.runs import MEAN, Run, Runs, is_study, read_runs


def test_reads_runs_in_order(study: Path) -> None:
    runs = read_runs(study)
    assert is_study(study)
    assert (runs.name, runs.axes) == ("study", ("world",))
    assert runs.runs[0] == Run("source", 0, ("mild",), study / "runs" / "mildsource0")
    assert runs.strategies == ["source", "cema", "random-cema"]
    assert runs.points == [("mild",), ("harsh",)]
    assert runs.seeds == [0, 1, 2, 3, 4]


def test_cells_hold_what_shares_point_and_seed(study: Path) -> None:
    cells = list(read_runs(study).cells())
    assert [(point, seed) for point, seed, _folders in cells[:6]] == [
        *((("mild",), seed) for seed in range(5)),
        (("harsh",), 0),
    ]
    assert list(cells[7][2]) == ["source", "cema", "random-cema"]
    assert cells[7][2]["cema"].name == "harshcema2"


def test_failed_runs_are_known_but_not_used(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    runs = read_runs(study_writer(tmp_path / "s", failed=(("source", 0, "mild"), ("cema", 1, "mild"))))
    assert [run.error for run in runs.runs if not run.usable] == ["InputError: no weights"] * 2
    assert len(runs.done) == 28
    assert runs.strategies[0] == runs.reference == "source"


def test_a_run_that_lost_its_tables_is_not_used(study: Path) -> None:
    (study / "runs" / "mildcema3" / "batches.parquet").unlink()
    assert len(read_runs(study).done) == 29


def test_partners_are_those_that_match(study: Path) -> None:
    runs = read_runs(study)
    assert runs.partners == {"cema": ["random-cema"]}
    assert runs.random_partner("cema") == "random-cema"
    assert runs.random_partner("source") is None
    assert runs.unadapted == "source"


def test_another_match_is_a_partner_but_not_a_random_one(
    small_run: Callable[..., Path], tmp_path: Path
) -> None:
    strategy = [{"name": "top_k", "label": "top", "match": "cema"}]
    folders = {
        "cema": small_run(tmp_path / "a", "cema", 0, (1, 1, 1)),
        "top": small_run(tmp_path / "b", "top", 0, (1, 1, 1), strategy=strategy),
    }
    runs = Runs("x", (), tuple(Run(label, 0, (), folder) for label, folder in folders.items()))
    assert runs.partners == {"cema": ["top"]}
    assert runs.random_partner("cema") is None
    assert runs.unadapted == "cema"


def test_a_shared_run_leaves_each_label_its_partner(small_run: Callable[..., Path], tmp_path: Path) -> None:
    matching = [{"name": "random_selection", "label": "random-one", "match": "one"}]
    shared = small_run(tmp_path / "shared", "random-one", 0, (1, 1, 1), strategy=matching)
    own = small_run(tmp_path / "own", "one", 0, (1, 1, 1))
    folders = {"one": own, "two": own, "random-one": shared, "random-two": shared}
    runs = Runs("x", (), tuple(Run(label, 0, (), folder) for label, folder in folders.items()))
    assert runs.partners == {"one": ["random-one"], "two": ["random-two"]}


def test_labels_of_axes_stay_text(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    runs = read_runs(study_writer(tmp_path / "s", ("source",), range(1), ("NA", "1.0")))
    assert runs.points == [("NA",), ("1.0",)]


def test_points_in_words() -> None:
    runs = Runs("x", ("world", "groups.cam.link.uplink_mbps"), ())
    assert runs.point_text(("fog 5", "0.5")) == "fog 5, uplink_mbps 0.5"
    assert runs.point_text(("3", "fast")) == "world 3, uplink_mbps fast"
    assert Runs("x", (), ()).point_text(()) == ""
    assert runs.axis_cells(None) == {"world": MEAN, "groups.cam.link.uplink_mbps": MEAN}


def test_the_mean_is_over_the_points_of_the_first_strategy(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    lost = tuple(("source", seed, "harsh") for seed in range(5))
    runs = read_runs(study_writer(tmp_path / "s", failed=lost))
    assert runs.points_of_mean == [("mild",)]
    assert runs.rows_of_points() == [("mild",), ("harsh",)]


def _message(folder: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        _ = read_runs(folder).done
    return str(caught.value)


def test_mistakes_name_file_and_value(study: Path, tmp_path: Path) -> None:
    assert _message(tmp_path) == f"{tmp_path}: not a study folder (runs.csv is missing)"
    path = study / "runs.csv"
    table = pd.read_csv(path, dtype=str)
    table.assign(status="waiting").to_csv(path, index=False)
    assert _message(study) == "study: no run has finished yet, so there is nothing to show"
    table.assign(seed="one").to_csv(path, index=False)
    assert _message(study) == f"{path}:2: seed 'one' is not a whole number"
    table.drop(columns="folder").to_csv(path, index=False)
    assert _message(study) == f"{path}: column 'folder' is missing"
    path.write_text("")
    assert _message(study).startswith(f"{path}: cannot be read as CSV (")
