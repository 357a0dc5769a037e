from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.ablation_chart import ablation, draw_ablation
from analysis.measures import Measures
from analysis.runs import read_runs


@pytest.fixture
def measures(study_writer: Callable[..., Path], tmp_path: Path) -> Measures:
    labels = ("source", "cema", "random-cema", "tent")
    return Measures(read_runs(study_writer(tmp_path / "study", labels)))


def test_a_random_partner_shares_its_strategys_row(measures: Measures) -> None:
    table = ablation(measures).set_index(["world", "strategy"])
    assert table.index.tolist() == [
        (world, label) for world in ("(mean)", "mild", "harsh") for label in ("cema", "tent")
    ]
    row = table.loc[("mild", "cema")]
    assert row["accuracy_difference"] == pytest.approx(2.2 / 30)
    assert (row["reference"], row["random_partner"]) == ("source", "random-cema")
    assert row["random_accuracy_difference"] == pytest.approx(2 / 30)
    assert row["selection_accuracy_difference"] == pytest.approx(0.2 / 30)
    assert not row["selection_difference_resolved"]
    assert (row["uplink_bytes"], row["upload_share"]) == (3_000, pytest.approx(0.1))
    assert table.loc[("mild", "tent"), "random_accuracy_difference"] != row["random_accuracy_difference"]


def test_rows_name_what_selection_earns(measures: Measures) -> None:
    figure = draw_ablation(ablation(measures), measures)
    difference, _share, size = figure.axes
    names = [text.get_text() for text in difference.get_yticklabels()]
    assert names == ["cema\nselection +1.0", "tent"]  # in the mean over points: 0.3 of 30, in points
    assert [text.get_text() for text in size.texts] == ["3 kB", "0 B"]
    hollow = [line for line in difference.lines if line.get_markerfacecolor() == "white"]
    assert len(hollow) == 1


def test_a_single_strategy_has_nothing_to_show(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    assert ablation(Measures(read_runs(study_writer(tmp_path / "s", ("cema",))))).empty
