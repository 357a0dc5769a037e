"""Accuracy against what the uplink carried: which strategies nobody beats at their budget."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.byte_axis import byte_axis
from analysis.labels import Label, Segment, freeze_layout, place_labels
from analysis.measures import Measures
from analysis.style import PALETTE, RC, WIDTH_INCHES, percent_axis

_COLUMNS = ["strategy", "seeds", "across"]
_QUANTITIES = ["accuracy", "uplink_bytes", "upload_share"]
_FRONT, _BEATEN, _REFERENCE = PALETTE[2], "#8C8C8C", PALETTE[0]
_FEW = 8  # strategies that can all be named everywhere


def frontier(measures: Measures) -> pd.DataFrame:
    """Tabulate the trade-off: one row per point and strategy, with `on_frontier`.

    Columns: axes, strategy, seeds, across, then accuracy, uplink_bytes (sent by the whole fleet) and
    upload_share, each with its interval.
    """
    ends = [name for quantity in _QUANTITIES for name in (quantity, f"{quantity}_low", f"{quantity}_high")]
    table = measures.table[[*measures.runs.axes, *_COLUMNS, *ends]].copy()
    table["on_frontier"] = False
    for point in measures.runs.rows_of_points():
        rows = measures.at(table, point)
        best = pareto_front(rows["uplink_bytes"], rows["accuracy"])
        table.loc[rows.index, "on_frontier"] = best
    return table


def pareto_front(costs: npt.ArrayLike, gains: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which entries no other beats: none costs at most as much and gains more, or less for as much."""
    cost, gain = np.asarray(costs, dtype=np.float64), np.asarray(gains, dtype=np.float64)
    at_most, at_least = cost[None, :] <= cost[:, None], gain[None, :] >= gain[:, None]
    better = (cost[None, :] < cost[:, None]) | (gain[None, :] > gain[:, None])
    beaten = (at_most & at_least & better).any(axis=1)
    return np.isfinite(cost) & np.isfinite(gain) & ~beaten


def draw_frontier(table: pd.DataFrame, measures: Measures) -> Figure:
    """Draw the mean over points (or the only point), every strategy by name."""
    point = measures.runs.rows_of_points()[0]
    rows = measures.at(table, point)
    figure = Figure(figsize=(WIDTH_INCHES, 5.4), layout="constrained")
    panel = figure.subplots()
    _draw(panel, rows, measures, rows["uplink_bytes"])
    panel.set(title=measures.runs.point_text(point), ylabel="online accuracy")
    few = len(measures.runs.strategies) <= _FEW
    _finish(figure, rows, measures, named_all=True)
    _name(panel, rows, set() if few else _random_partners(measures), size=7.5)
    return figure


def draw_frontier_by_point(table: pd.DataFrame, measures: Measures) -> Figure:
    """Draw a small panel for each point; among many strategies only the first and the unbeaten have names."""
    points = measures.runs.points
    columns = min(3, len(points))
    rows_of_panels = -(-len(points) // columns)
    figure = Figure(figsize=(WIDTH_INCHES * 1.2, 0.9 + 2.5 * rows_of_panels), layout="constrained")
    grid = list(figure.subplots(rows_of_panels, columns, squeeze=False, sharex=True).flat)
    for panel in grid[len(points) :]:
        panel.remove()
    few = len(measures.runs.strategies) <= _FEW
    at_points = pd.concat([measures.at(table, point) for point in points])
    for index, (point, panel) in enumerate(zip(points, grid, strict=False)):
        rows = measures.at(table, point)
        _draw(panel, rows, measures, at_points["uplink_bytes"], most_ticks=3)
        panel.set_title(measures.runs.point_text(point))
        panel.tick_params(axis="x", labelbottom=index + columns >= len(points))
    figure.supylabel("online accuracy", fontsize=RC["font.size"])
    _finish(figure, at_points, measures, named_all=few)
    for point, panel in zip(points, grid, strict=False):
        rows = measures.at(table, point)
        unnamed = ~rows["on_frontier"] & (rows["strategy"] != measures.runs.reference)
        nameless = _random_partners(measures) | set(rows.loc[unnamed, "strategy"])
        _name(panel, rows, set() if few else nameless, size=6.5)
    return figure


def _draw(
    panel: Axes, rows: pd.DataFrame, measures: Measures, sizes: pd.Series[float], most_ticks: int = 7
) -> None:
    byte_axis(panel, sizes, most_ticks)
    percent_axis(panel, rows[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy())
    for start, end in _steps(panel, rows):
        panel.plot(*zip(start, end, strict=True), color=_FRONT, linewidth=1.0, zorder=2)
    records = {row["strategy"]: row for row in rows.to_dict("records")}
    for label, row in records.items():
        colour = _colour(row, measures)
        for bar in _bars(row):
            panel.plot(*zip(*bar, strict=True), color=colour, linewidth=0.9, alpha=0.7, zorder=3)
        hollow = label in _random_partners(measures)
        fill = "white" if hollow else colour
        panel.plot(*_place(row), "o", color=colour, markersize=5, markerfacecolor=fill, zorder=4 + hollow)
        partner = records.get(measures.runs.random_partner(label) or "")
        if partner is not None:
            ends = zip(_place(row), _place(partner), strict=True)
            panel.plot(*ends, color=colour, linestyle=":", linewidth=1.2, zorder=3)


def _steps(panel: Axes, rows: pd.DataFrame) -> list[Segment]:
    """Give the treads and risers of the frontier, which goes on to the panel's right edge."""
    front = rows[rows["on_frontier"]].sort_values(["uplink_bytes", "accuracy"])
    corners = list(zip(front["uplink_bytes"], front["accuracy"], strict=True))
    segments: list[Segment] = []
    for (x, y), (next_x, next_y) in pairwise([*corners, (panel.get_xlim()[1], np.nan)]):
        segments.append(((x, y), (next_x, y)))
        if np.isfinite(next_y):
            segments.append(((next_x, y), (next_x, next_y)))
    return segments


def _place(row: dict[Any, Any]) -> tuple[float, float]:
    return float(row["uplink_bytes"]), float(row["accuracy"])


def _bars(row: dict[Any, Any]) -> list[Segment]:
    """Give the interval bars that a point has: upright for accuracy, level for bytes."""
    x, y = _place(row)
    upright = ((x, float(row["accuracy_low"])), (x, float(row["accuracy_high"])))
    level = ((float(row["uplink_bytes_low"]), y), (float(row["uplink_bytes_high"]), y))
    return [bar for bar in (upright, level) if np.isfinite(bar).all() and bar[0] != bar[1]]


def _name(panel: Axes, rows: pd.DataFrame, nameless: set[str], size: float) -> None:
    records = sorted(rows.to_dict("records"), key=lambda row: not row["on_frontier"])
    labels = [Label(*_place(row), "" if row["strategy"] in nameless else row["strategy"]) for row in records]
    bars = [bar for row in records for bar in _bars(row)]
    place_labels(panel, labels, [*bars, *_steps(panel, rows)], size)


def _random_partners(measures: Measures) -> set[str]:
    partners = (measures.runs.random_partner(label) for label in measures.runs.strategies)
    return {partner for partner in partners if partner is not None}


def _colour(row: dict[Any, Any], measures: Measures) -> str:
    if row["strategy"] == measures.runs.reference:
        return _REFERENCE
    return _FRONT if row["on_frontier"] else _BEATEN


def _finish(figure: Figure, rows: pd.DataFrame, measures: Measures, *, named_all: bool) -> None:
    figure.supxlabel("sent over the uplink by the whole fleet, in one run", fontsize=RC["font.size"])
    others = rows[rows["strategy"] != measures.runs.reference]
    meanings = [(measures.runs.reference, _REFERENCE, _REFERENCE)]
    if others["on_frontier"].any():
        meanings.append(("on the frontier: none is better for as little", _FRONT, _FRONT))
    if not others["on_frontier"].all():
        meanings.append(("beaten" if named_all else "beaten (not named here)", _BEATEN, _BEATEN))
    if _random_partners(measures):
        meanings.append(("random within the budget of the one it is tied to", _BEATEN, "white"))
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5}
    figure.legend(
        handles=[Line2D([], [], color=c, markerfacecolor=f, label=text, **look) for text, c, f in meanings],
        title=bars_text(rows),
        alignment="left",
        loc="outside upper left",
        ncols=4,
        columnspacing=1.2,
        handletextpad=0.2,
    )
    freeze_layout(figure)


def bars_text(rows: pd.DataFrame) -> str | None:
    """Say what the bars of some rows are; None where they have none."""
    if (rows["across"] == "seeds").any():
        fewest, most = int(rows["seeds"].min()), int(rows["seeds"].max())
        return f"bars: 95 % interval across {most if fewest == most else f'{fewest} to {most}'} seeds"
    if rows["accuracy_low"].notna().any():
        return "bars: 95 % interval across the devices of one seed"
    return None
