from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis import study as module
from analysis.gathering import gather
from analysis.measures import Measures
from analysis.reading import ResultsError
from analysis.study import comparison_folder, conclude_study, measures_of, read_study, write_conclusion

FIGURES = ["frontier", "frontier_by_point", "accuracy_over_time", "ablation"]


def _is_a_picture(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.width > 1_000 and picture.height > 250 and np.asarray(picture.convert("L")).std() > 5


def test_tables_and_figures_are_written(study: Path) -> None:
    drawn = conclude_study(study)
    assert drawn == [study / f"{name}.png" for name in FIGURES]
    assert all(_is_a_picture(path) for path in drawn)
    measures = measures_of(study)
    for name, table in (
        ("study", measures.table),
        ("differences", measures.differences),
        ("forgetting", measures.forgetting),
    ):
        pd.testing.assert_frame_equal(pd.read_csv(study / f"{name}.csv"), table, check_dtype=False)
    assert len(pd.read_csv(study / "recovery.csv")) == 12
    rows = {"frontier": 9, "accuracy_over_time": 18, "ablation": 3}
    assert {name: len(pd.read_csv(study / f"{name}.csv")) for name in rows} == rows


@pytest.mark.parametrize("strategies", [1, 3])
def test_a_study_without_axes_and_with_one_seed(
    study_writer: Callable[..., Path], tmp_path: Path, strategies: int
) -> None:
    labels = ("cema", "source", "random-cema")[:strategies]
    folder = study_writer(tmp_path / "s", labels, range(1), ())
    names = ["frontier", "accuracy_over_time", *(["ablation"] if strategies > 1 else [])]
    assert conclude_study(folder) == [folder / f"{name}.png" for name in names]


def test_too_many_panels_become_a_figure_for_each_point(
    study_writer: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PANELS", 1)
    drawn = conclude_study(study_writer(tmp_path / "s", ("cema",), range(1)))
    assert [path.stem for path in drawn[2:]] == ["accuracy_over_time-mild", "accuracy_over_time-harsh"]


def test_finished_runs_as_a_frame(study: Path) -> None:
    table = read_study(study)
    assert len(table) == 30
    assert {"world", "strategy", "seed", "accuracy", "uplink_bytes", "device_flops"} <= set(table)


def test_measured_anew_when_a_run_has_ended(study: Path, study_writer: Callable[..., Path]) -> None:
    before = measures_of(study)
    assert measures_of(study) is before
    study_writer(study, seeds=range(2))
    assert len(measures_of(study).runs.runs) == 12


def test_nothing_finished_is_a_mistake(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = study_writer(tmp_path / "s", ("cema",), range(1), (), (("cema", 0, "mild"),))
    with pytest.raises(ResultsError, match="s: no run has finished yet, so there is nothing to show"):
        conclude_study(folder)


def test_a_comparison_of_two_runs(small_run: Callable[..., Path], tmp_path: Path) -> None:
    folders = [small_run(tmp_path / label, label, 0, (8, 2, 8)) for label in ("source", "cema")]
    destination = comparison_folder(tmp_path / "new" / "comparison", force=False)
    drawn = write_conclusion(Measures(gather(folders)), destination)
    assert [path.parent for path in drawn] == [destination] * 3
    assert pd.read_csv(destination / "differences.csv")["across"].tolist() == ["devices"]


def test_a_comparison_does_not_write_over_other_things(source: Path, study: Path, tmp_path: Path) -> None:
    for folder in (source, study):
        with pytest.raises(ResultsError, match="holds the results of a run or a study"):
            comparison_folder(folder, force=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    assert comparison_folder(mine, force=False) == mine
    (mine / "notes.txt").write_text("keep")
    with pytest.raises(ResultsError, match="mine: exists already"):
        comparison_folder(mine, force=False)
    assert comparison_folder(mine, force=True) == mine
    assert (mine / "notes.txt").read_text() == "keep"
    with pytest.raises(ResultsError, match=r"notes.txt: cannot be written: .*; choose another --out"):
        comparison_folder(mine / "notes.txt", force=True)
