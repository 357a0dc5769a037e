from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.measures import Measures
from analysis.runs import read_runs
from analysis.seeds import seed_interval
from analysis.study_accuracy import draw_study_accuracy, highlighted, study_accuracy_over_time


def test_the_mean_over_seeds_in_each_bin(study_as_left: Path) -> None:
    table = study_accuracy_over_time(read_runs(study_as_left))
    assert len(table) == 2 * 3 * 3
    rows = table[(table["world"] == "mild") & (table["strategy"] == "cema")]
    assert rows["time_s"].tolist() == [5, 15, 25]
    assert rows["accuracy"].tolist() == pytest.approx([0.76, 0.52, 0.7])
    expected = seed_interval([0.8, 0.7, 0.8, 0.7, 0.8])
    assert rows.iloc[0][["accuracy_low", "accuracy_high"]].tolist() == pytest.approx(
        [expected.low, expected.high]
    )
    assert rows["seeds"].tolist() == [5, 5, 5]


def test_one_seed_has_no_band(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    table = study_accuracy_over_time(read_runs(study_writer(tmp_path / "s", seeds=range(1))))
    assert table[["accuracy_low", "accuracy_high"]].isna().all(axis=None)
    assert table["accuracy"].notna().all()


def _lines(figure: object) -> list[str]:
    [legend] = figure.legends  # type: ignore[attr-defined]
    return [text.get_text() for text in legend.get_texts()]


def test_a_panel_for_each_point_and_group(study_as_left: Path) -> None:
    measures = Measures(read_runs(study_as_left))
    figure = draw_study_accuracy(study_accuracy_over_time(measures.runs), measures, measures.runs.points)
    titles = [panel.child_axes[0].get_title(loc="left") for panel in figure.axes]
    assert titles == ["mild, cam", "harsh, cam"]
    assert _lines(figure) == ["source", "cema", "random-cema"]
    assert figure.legends[0].get_title().get_text() == "mean over 5 seeds, band: 95 % interval"


def test_among_many_some_are_picked_out(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    labels = ("first", "source", "cema", "random-cema", *(f"s{i}" for i in range(6)))
    measures = Measures(read_runs(study_writer(tmp_path / "s", labels, seeds=range(1), worlds=())))
    assert highlighted(measures) == ["first", "source", "cema", "random-cema"]
    figure = draw_study_accuracy(study_accuracy_over_time(measures.runs), measures, [()])
    assert _lines(figure)[-1] == "the other 6 strategies"
    assert len(figure.axes[0].lines) >= 10
