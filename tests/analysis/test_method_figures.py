from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.method_figures import (
    MOST_PANELS,
    draw_losses,
    draw_method_figures,
    draw_replay_age,
    draw_thresholds,
)

SCENARIO: dict[str, Any] = {
    "duration_s": 100.0,
    "groups": {name: {"schedule": [{"corruption": "fog", "severity": 3}]} for name in ("wired", "lte")},
}


def _thresholds(*keys: str) -> pd.DataFrame:
    rows = [
        (f"{group}-{i}", group, float(time), key, 0.5 + i)
        for group in ("wired", "lte")
        for i in range(3)
        for time in (1, 2)
        for key in keys
    ]
    return pd.DataFrame(rows, columns=["device", "group", "arrival_s", "key", "value"])


def test_thin_lines_for_devices_and_a_thick_one_for_their_median() -> None:
    figure = draw_thresholds(_thresholds("unreliable.e_max"), SCENARIO)
    assert figure is not None
    wired, lte = figure.axes
    thick = [line for line in wired.lines if line.get_linewidth() > 1]
    assert (len(wired.lines), len(thick), len(lte.lines)) == (4, 1, 4)
    assert list(thick[0].get_ydata()) == [1.5, 1.5]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["largest entropy that is kept"]


def test_criteria_without_entropies_have_no_picture() -> None:
    assert draw_thresholds(_thresholds("redundant.mean_peak"), SCENARIO) is None


def test_a_panel_for_each_loss() -> None:
    table = pd.DataFrame(
        {"student": ["a", "b"] * 3, "finish_s": range(6), "foundation_loss": 0.2, "adaptation_loss": 0.3}
    )
    figure = draw_losses(table, SCENARIO)
    assert [panel.get_title(loc="left") for panel in figure.axes] == [
        "foundation model: entropy",
        "adaptation loss",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_students_that_find_no_place_are_counted() -> None:
    students = [f"s{i}" for i in range(MOST_PANELS + 3)]
    ages = {f"age_p{level}_s": float(level) for level in (0, 25, 50, 75, 100)}
    table = pd.DataFrame({"student": students, "start_s": 1.0, "replay_samples": 9}).assign(**ages)
    figure = draw_replay_age(table, SCENARIO)
    assert len(figure.axes) == MOST_PANELS
    assert "12 of 15 students are shown" in figure.legends[0].get_title().get_text()


@pytest.fixture
def run(writer: Callable[..., Path], tmp_path: Path) -> Path:
    batch = {"device": "wired-0", "group": "wired", "arrival_s": 1.0}
    batch |= {"criteria_state": [("unreliable.e_max", 0.9), ("redundant.mean_peak", 0.4)]}
    update = {"student": "fleet", "start_s": 1.0, "finish_s": 2.0, "distillation_loss": 0.5}
    update |= {"replay_samples": 32, "replay_age_s": [0.0, 1.0, 2.0, 3.0, 4.0]}
    return writer(tmp_path / "run", "cema", {"batches": [batch], "updates": [update]})


def test_each_picture_has_its_numbers(run: Path) -> None:
    names = ["thresholds", "losses", "replay_age"]
    assert draw_method_figures(run) == [run / f"{name}.png" for name in names]
    assert len(pd.read_csv(run / "thresholds.csv")) == 2
    assert pd.read_csv(run / "losses.csv")["distillation_loss"].tolist() == [0.5]
    assert pd.read_csv(run / "replay_age.csv")["age_p50_s"].tolist() == [2.0]


def test_a_run_without_a_method_has_none(source: Path) -> None:
    assert draw_method_figures(source) == []
    assert list(source.glob("*.png")) == []
