from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from analysis import tables
from analysis.figures import draw_accuracy_against_uplink, draw_all, draw_into

ALL = ["accuracy_over_time", "accuracy_against_uplink", "staleness"]


def _is_a_picture(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.width > 1_000 and picture.height > 400 and np.asarray(picture.convert("L")).std() > 5


def test_draws_every_figure_beside_its_numbers(both: Path) -> None:
    drawn = draw_all(both)
    assert drawn == [both / f"{name}.png" for name in ALL]
    assert all(_is_a_picture(path) for path in drawn)
    pd.testing.assert_frame_equal(
        pd.read_csv(both / "accuracy_over_time.csv"), tables.accuracy_over_time(both)
    )
    written = pd.read_csv(both / "accuracy_against_uplink.csv")
    assert written["uplink_bytes"].tolist() == [0, 0, 0, 3620, 3620, 0]
    assert pd.read_csv(both / "staleness.csv")["strategy"].unique().tolist() == ["cema"]
    assert len(pd.read_csv(both / "shift_schedule.csv")) == 3


def test_a_single_strategy_without_updates_has_no_staleness(source: Path) -> None:
    assert draw_all(source) == [source / f"{name}.png" for name in ALL[:2]]
    assert not (source / "staleness.csv").exists()


def test_folders_by_label_are_drawn_into_a_folder(source: Path, cema: Path, tmp_path: Path) -> None:
    assert draw_into({"a": source, "b": cema}, tmp_path)[0] == tmp_path / "accuracy_over_time.png"
    assert pd.read_csv(tmp_path / "accuracy_over_time.csv")["strategy"].unique().tolist() == ["a", "b"]


def test_zero_bytes_have_a_place_on_the_axis(both: Path) -> None:
    panel = draw_accuracy_against_uplink(tables.accuracy_against_bytes(both), both).axes[0]
    low, high = panel.get_xlim()
    labels = [
        panel.xaxis.get_major_formatter()(tick, None) for tick in panel.get_xticks() if low <= tick <= high
    ]
    assert labels == ["0 B", "500 B", "1 kB", "1.5 kB", "2 kB"]


def test_the_axis_without_zero_is_logarithmic(both: Path) -> None:
    table = tables.accuracy_against_bytes(both)
    panel = draw_accuracy_against_uplink(table[table["uplink_bytes"] > 0], both).axes[0]
    assert panel.get_xscale() == "log"


def test_a_run_interrupted_before_any_prediction_is_drawn(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    folder = writer(tmp_path / "run", "cema", {}, {"status": "interrupted"})
    assert draw_all(folder) == [folder / "accuracy_against_uplink.png"]
