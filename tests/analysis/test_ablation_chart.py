from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.ablation_chart import ablation, draw_ablation
from analysis.measures import Measures
from analysis.runs import read_runs


@pytest.fixture(scope="module")
def measures(study_as_left: Path) -> Measures:
    return Measures(read_runs(study_as_left))


def test_a_random_partner_shares_its_strategys_row(measures: Measures) -> None:
    table = ablation(measures).set_index(["world", "strategy"])
    assert table.index.tolist() == [(world, "cema") for world in ("(mean)", "mild", "harsh")]
    row = table.loc[("mild", "cema")]
    assert row["accuracy_difference"] == pytest.approx(2.2 / 30)
    assert (row["reference"], row["random_partner"]) == ("source", "random-cema")
    assert row["random_accuracy_difference"] == pytest.approx(2 / 30)
    assert row["selection_accuracy_difference"] == pytest.approx(0.2 / 30)
    assert not row["selection_difference_resolved"]
    assert (row["uplink_bytes"], row["upload_share"]) == (3_000, pytest.approx(0.1))


def test_rows_name_what_selection_earns(measures: Measures) -> None:
    figure = draw_ablation(ablation(measures), measures)
    difference, _share, size = figure.axes
    names = [text.get_text() for text in difference.get_yticklabels()]
    assert names == ["cema\nselection +2.0"]  # in the mean over points 0.6 of 30
    assert [text.get_text() for text in size.texts] == ["3 kB"]
    hollow = [line for line in difference.lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == 1


def test_a_strategy_without_a_partner_has_a_row_of_its_own(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    measures = Measures(read_runs(study_writer(tmp_path / "s", ("source", "tent"), range(1), ())))
    table = ablation(measures)
    assert table["strategy"].tolist() == ["tent"]
    assert table["random_partner"].isna().all()
    assert [text.get_text() for text in draw_ablation(table, measures).axes[0].get_yticklabels()] == ["tent"]


def test_a_single_strategy_has_nothing_to_show(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    assert ablation(Measures(read_runs(study_writer(tmp_path / "s", ("cema",))))).empty
