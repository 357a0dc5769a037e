from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.frontier import bars_text, draw_frontier, draw_frontier_by_point, frontier, pareto_front
from analysis.measures import Measures
from analysis.runs import read_runs


@pytest.fixture(scope="module")
def measures(study_as_left: Path) -> Measures:
    return Measures(read_runs(study_as_left))


def test_pareto_front() -> None:
    costs, gains = [0, 0, 5, 5, 9, 2, 9], [0.4, 0.5, 0.8, 0.8, 0.7, 0.6, 0.9]
    assert pareto_front(costs, gains).tolist() == [False, True, True, True, False, True, True]
    assert pareto_front([np.nan, 1], [0.5, np.nan]).tolist() == [False, False]
    assert pareto_front([], []).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_nobody_beats_the_front_and_somebody_beats_the_rest(entries: list[tuple[int, int]]) -> None:
    front = pareto_front([cost for cost, _ in entries], [gain for _, gain in entries])
    assert front.any()
    for (cost, gain), unbeaten in zip(entries, front, strict=True):
        beaten = any(
            other_cost <= cost and other_gain >= gain and (other_cost, other_gain) != (cost, gain)
            for other_cost, other_gain in entries
        )
        assert unbeaten != beaten


def test_each_point_has_its_own_front(measures: Measures) -> None:
    table = frontier(measures)
    assert table["world"].unique().tolist() == ["(mean)", "mild", "harsh"]
    front = table[table["on_frontier"]].groupby("world", sort=False)["strategy"].agg(list)
    assert front.to_dict() == {world: ["source", "cema"] for world in ("(mean)", "mild", "harsh")}
    assert {"uplink_bytes_low", "accuracy_high", "upload_share"} < set(table)


def _names(figure: object) -> list[str]:
    panels = figure.axes  # type: ignore[attr-defined]
    return [text.get_text() for panel in panels for text in panel.texts if text.get_text()]


def test_the_mean_names_every_strategy(measures: Measures) -> None:
    figure = draw_frontier(frontier(measures), measures)
    assert sorted(_names(figure)) == ["cema", "random-cema", "source"]
    assert figure.axes[0].get_title(loc="left") == "mean over 2 points"
    [legend] = figure.legends
    assert legend.get_title().get_text() == "bars: 95 % interval across 5 seeds"


def test_a_panel_for_each_point(measures: Measures) -> None:
    figure = draw_frontier_by_point(frontier(measures), measures)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["mild", "harsh"]


def test_among_many_only_the_front_and_the_reference_have_names_in_small_panels(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    labels = ("source", "cema", "random-cema", *(f"s{i}" for i in range(7)))
    measures = Measures(read_runs(study_writer(tmp_path / "s", labels, seeds=range(1))))
    table = frontier(measures)
    in_small_panels = set(_names(draw_frontier_by_point(table, measures)))
    unbeaten = set(table.loc[table["on_frontier"], "strategy"])
    assert in_small_panels == {"source"} | unbeaten - {"random-cema"}
    assert set(_names(draw_frontier(table, measures))) == set(labels) - {"random-cema"}


def test_bars_are_explained(measures: Measures) -> None:
    table = measures.table
    assert bars_text(table.assign(seeds=[4] + [5] * (len(table) - 1))) == (
        "bars: 95 % interval across 4 to 5 seeds"
    )
    devices = table.assign(across="devices")
    assert bars_text(devices) == "bars: 95 % interval across the devices of one seed"
    assert bars_text(devices.assign(accuracy_low=np.nan)) is None
