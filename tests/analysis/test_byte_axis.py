from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from analysis.byte_axis import byte_axis, decades


@pytest.mark.parametrize(
    ("lowest", "highest", "ticks"),
    [
        (800.0, 3_000.0, [800, 900, 1_000, 2_000, 3_000]),
        (800.0, 80_000.0, [1_000, 2_000, 5_000, 10_000, 20_000, 50_000]),
        (1.0, 1e6, [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]),
    ],
)
def test_ticks(lowest: float, highest: float, ticks: list[float]) -> None:
    assert decades(lowest, highest) == pytest.approx(ticks)


def test_few_ticks_stand_apart() -> None:
    assert decades(900e3, 2.4e6, most=3) == pytest.approx([1e6, 2e6])
    assert decades(1.1e6, 2.9e6) == pytest.approx([1.5e6, 2e6, 2.5e6])
    assert decades(3.6e3, 9.3e3, most=3) == pytest.approx([6e3, 9e3])


@given(st.floats(1, 1e9), st.floats(1.05, 1e6), st.integers(3, 9))
def test_ticks_are_few_ascending_and_within(lowest: float, factor: float, most: int) -> None:
    ticks = decades(lowest, lowest * factor, most)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(lowest <= tick <= lowest * factor for tick in ticks)


def test_nothing_sent_has_an_axis_too() -> None:
    panel = Figure().subplots()
    byte_axis(panel, [0.0, 0.0, float("nan")])
    assert panel.get_xticks().tolist() == [0]


def test_every_size_is_on_the_axis() -> None:
    for sizes in ([0.0, 300.0, 2e9], [5.0, 5.0]):
        panel = Figure().subplots()
        byte_axis(panel, sizes)
        low, high = panel.get_xlim()
        assert low < min(sizes)
        assert max(sizes) < high


def test_what_is_much_alike_is_compared_with_zero_on_a_linear_axis() -> None:
    for sizes, scale in (([0.0, 40e3, 47e3], "linear"), ([40e3, 47e3], "log"), ([0.0, 4e3, 47e3], "symlog")):
        panel = Figure().subplots()
        byte_axis(panel, sizes)
        assert panel.get_xscale() == scale
    panel = Figure().subplots()
    byte_axis(panel, [0.0, 40e3, 47e3])
    low, high = panel.get_xlim()
    assert [tick for tick in panel.get_xticks() if low <= tick <= high] == [0, 20e3, 40e3]


def test_labels_do_not_overlap_beside_zero() -> None:
    for sizes in ([0.0, 80e3], [0.0, 25e3, 160e3], [0.0, 300.0, 2e9]):
        figure = Figure(figsize=(6, 4))
        panel = figure.subplots()
        byte_axis(panel, sizes)
        figure.canvas.draw()
        boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
        assert len(boxes) > 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
