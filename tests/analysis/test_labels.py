from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.labels import Label, freeze_layout, place_labels


def _panel() -> Axes:
    figure = Figure(figsize=(8, 5), layout="constrained")
    panel = figure.subplots()
    panel.set(xlim=(0, 1), ylim=(0, 1))
    freeze_layout(figure)
    return panel


def _apart(boxes: list[Bbox]) -> bool:
    return not any(first.overlaps(second) for first, second in combinations(boxes, 2))


def _leaders(panel: Axes) -> int:
    return sum(getattr(text, "arrow_patch", None) is not None for text in panel.texts)


def test_a_name_stands_beside_its_point() -> None:
    panel = _panel()
    [box] = place_labels(panel, [Label(0.5, 0.5, "cema")])
    x, y = panel.transData.transform((0.5, 0.5))
    assert box.x0 > x
    assert box.y0 < y < box.y1
    assert [text.get_text() for text in panel.texts] == ["cema"]
    assert _leaders(panel) == 0


def test_names_of_crowded_points_move_apart() -> None:
    panel, random = _panel(), np.random.default_rng(1)
    spots = 0.5 + 0.1 * random.normal(size=(18, 2))
    boxes = place_labels(panel, [Label(x, y, f"strategy-{i}") for i, (x, y) in enumerate(spots)])
    assert _apart(boxes)
    assert _leaders(panel) > 0


def test_names_stay_inside_the_panel() -> None:
    panel = _panel()
    corners = [Label(x, y, "a rather long name") for x in (0.0, 1.0) for y in (0.0, 1.0)]
    frame = panel.get_window_extent()
    for box in place_labels(panel, corners):
        assert frame.x0 - 1 <= box.x0
        assert box.x1 <= frame.x1 + 1
        assert frame.y0 - 1 <= box.y0
        assert box.y1 <= frame.y1 + 1


def test_names_keep_off_lines_and_other_points() -> None:
    panel = _panel()
    [box, _nameless] = place_labels(
        panel, [Label(0.5, 0.5, "cema"), Label(0.55, 0.55, "")], [((0.0, 0.5), (1.0, 0.5))]
    )
    line = panel.transData.transform((0.5, 0.5))[1]
    assert box.y0 > line or box.y1 < line


def test_no_labels() -> None:
    assert place_labels(_panel(), []) == []
