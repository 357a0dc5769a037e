from __future__ import annotations

import pytest

from analysis.style import PALETTE, group_panels, label_time, line_styles, percent_axis, time_unit


def test_black_is_the_reference_alone() -> None:
    styles = line_styles([f"s{i}" for i in range(20)])
    assert [label for label, style in styles.items() if style["color"] == PALETTE[0]] == ["s0"]
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 20


def test_a_strategy_alone_is_a_solid_line() -> None:
    assert line_styles(["cema"]) == {"cema": {"color": PALETTE[0], "linestyle": "-"}}


@pytest.mark.parametrize(
    ("duration_s", "unit"),
    [(600, (1, "s")), (3_600, (60, "min")), (86_400, (3_600, "h")), (1e6, (86_400, "d"))],
)
def test_time_unit(duration_s: float, unit: tuple[float, str]) -> None:
    assert time_unit(duration_s) == unit


@pytest.mark.parametrize(("groups", "columns"), [(1, 1), (5, 1), (6, 2), (7, 2)])
def test_one_panel_per_group(groups: int, columns: int) -> None:
    figure, panels = group_panels(["g"] * groups, share_y=True)
    label_time(panels, "s")
    assert len(panels) == len(figure.axes) == groups
    assert [bool(panel.get_xlabel()) for panel in panels].count(True) == columns


def test_percent_axis_stays_between_0_and_100() -> None:
    _figure, [panel] = group_panels(["g"], share_y=True)
    percent_axis(panel, [0.01, 0.99, float("nan")])
    assert panel.get_ylim() == (0.0, 1.0)
    assert panel.yaxis.get_major_formatter()(0.5, None) == "50 %"
