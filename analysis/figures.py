"""The figures of a result folder, each beside its numbers: `<figure>.png` and `<figure>.csv`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import tables
from analysis.bands import Bands
from analysis.byte_axis import byte_axis
from analysis.reading import Source, read_scenario, with_tables
from analysis.style import (
    FLEET_MARKERS,
    MARKERS,
    PALETTE,
    RC,
    group_panels,
    label_time,
    line_styles,
    panel_width,
    percent_axis,
    save,
    time_unit,
)

_BAND = "line: median, band: 5th to 95th percentile; the panels' scales differ"


def draw_all(folder: Path) -> list[Path]:
    """Draw every figure of a result folder into it and write the numbers beside; returns the pictures' paths.

    A folder of several strategies gets figures that compare them. `staleness` is left out where no strategy
    published an update.
    """
    return draw_into(folder, folder)


def draw_into(source: Source, destination: Path) -> list[Path]:
    """Draw the figures of `source`, a result folder or folders by label, into the folder `destination`."""
    drawn: list[Path] = []
    for name, (tabulate, draw) in _FIGURES.items():
        table = tabulate(source)
        if table.empty:
            continue
        with matplotlib.rc_context(RC):
            drawn.append(save(draw(table, source), destination / f"{name}.png"))
        table.to_csv(destination / f"{name}.csv", index=False, lineterminator="\n")
    schedule(source).to_csv(destination / "shift_schedule.csv", index=False, lineterminator="\n")
    return drawn


def schedule(source: Source) -> pd.DataFrame:
    """The shift schedule that the figures mark; strategies under comparison share it."""
    return tables.shift_schedule(read_scenario(next(iter(with_tables(source).values()))))


def draw_accuracy_over_time(table: pd.DataFrame, source: Source) -> Figure:
    """Draw online accuracy over time: a panel per group, a line per strategy, the shifts along the top."""
    return _over_time(table, source, _draw_accuracy, "online accuracy", share_y=True)


def draw_staleness(table: pd.DataFrame, source: Source) -> Figure:
    """Draw the age of the predicting version over time: its median in a band from p5 to p95."""
    label = "age of the predicting version (s)"
    draw = partial(_draw_age, alpha=max(0.06, 0.3 / (1 + table["strategy"].nunique())))
    return _over_time(table, source, draw, label, share_y=False, legend_title=_BAND)


def _over_time(
    table: pd.DataFrame,
    source: Source,
    draw_line: Callable[[Axes, pd.DataFrame, float, dict[str, Any]], None],
    label: str,
    *,
    share_y: bool,
    legend_title: str | None = None,
) -> Figure:
    shifts = schedule(source)
    duration_s = float(shifts["end_s"].max())
    unit_s, unit = time_unit(duration_s)
    groups = [group for group in dict.fromkeys(shifts["group"]) if group in set(table["group"])]
    bands = Bands(shifts, unit_s, panel_width(groups))
    styles = line_styles(with_tables(source))
    figure, panels = group_panels(groups, share_y=share_y)
    for group, panel in zip(groups, panels, strict=True):
        for strategy in dict.fromkeys(table["strategy"]):
            rows = table[(table["group"] == group) & (table["strategy"] == strategy)]
            draw_line(panel, rows, unit_s, styles[strategy])
        bands.draw(panel, group)
        panel.set_xlim(0, duration_s / unit_s)
    label_time(panels, unit)
    figure.supylabel(label, fontsize=RC["font.size"])
    if share_y:
        percent_axis(panels[0], table["accuracy"])
    _strategy_legend(figure, {name: styles[name] for name in dict.fromkeys(table["strategy"])}, legend_title)
    bands.draw_key(figure)
    return figure


def _draw_accuracy(panel: Axes, rows: pd.DataFrame, unit_s: float, style: dict[str, Any]) -> None:
    panel.plot(rows["time_s"] / unit_s, rows["accuracy"], **style)


def _draw_age(panel: Axes, rows: pd.DataFrame, unit_s: float, style: dict[str, Any], alpha: float) -> None:
    times = rows["time_s"] / unit_s
    low, high = rows["version_age_s_p5"], rows["version_age_s_p95"]
    panel.fill_between(times, low, high, color=style["color"], alpha=alpha, linewidth=0)
    panel.plot(times, rows["version_age_s_p50"], **style)
    panel.set_ylim(bottom=0)


def _strategy_legend(figure: Figure, styles: dict[str, dict[str, Any]], title: str | None) -> None:
    handles = [Line2D([], [], label=label, **style) for label, style in styles.items()]
    columns = min(6, len(handles))
    figure.legend(handles=handles, title=title, alignment="left", loc="outside upper right", ncols=columns)


def draw_accuracy_against_uplink(table: pd.DataFrame, source: Source) -> Figure:
    """Draw online accuracy against uplink bytes per device: a large point per strategy, small per group."""
    figure = Figure(figsize=(8.6, 4.6), layout="constrained")
    panel = figure.subplots()
    styles = line_styles(with_tables(source))
    groups = [group for group in dict.fromkeys(table["group"]) if group != tables.ALL]
    markers = {group: MARKERS[i % len(MARKERS)] for i, group in enumerate(groups)}
    fleet_markers = {
        label: FLEET_MARKERS[i // len(PALETTE) % len(FLEET_MARKERS)] for i, label in enumerate(styles)
    }
    for row in table.to_dict("records"):
        colour = styles[row["strategy"]]["color"]
        if row["group"] == tables.ALL:
            _draw_strategy(panel, row, fleet_markers[row["strategy"]], colour)
        else:
            panel.plot(
                row["uplink_bytes_per_device"],
                row["accuracy"],
                markers[row["group"]],
                color=colour,
                markersize=4.5,
                markerfacecolor="white",
                zorder=6,
            )
    byte_axis(panel, table["uplink_bytes_per_device"])
    panel.set(xlabel="sent over the uplink, mean per device", ylabel="online accuracy")
    fleet = table[table["group"] == tables.ALL]
    percent_axis(panel, pd.concat([table["accuracy"], fleet["accuracy_low"], fleet["accuracy_high"]]))
    looks = {label: (fleet_markers[label], style["color"]) for label, style in styles.items()}
    _point_legend(figure, looks, markers)
    return figure


def _draw_strategy(panel: Axes, row: dict[Any, Any], marker: str, colour: str) -> None:
    if pd.notna(row["accuracy_low"]):
        ends = [[row["accuracy"] - row["accuracy_low"]], [row["accuracy_high"] - row["accuracy"]]]
        panel.errorbar(
            row["uplink_bytes_per_device"], row["accuracy"], ends, color=colour, capsize=4, zorder=4
        )
    panel.plot(row["uplink_bytes_per_device"], row["accuracy"], marker, color=colour, markersize=9, zorder=5)


def _point_legend(figure: Figure, looks: dict[str, tuple[str, str]], markers: dict[str, str]) -> None:
    def point(label: str, marker: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, label=label, **look)

    strategies = [
        point(label, marker, color=colour, markersize=8) for label, (marker, colour) in looks.items()
    ]
    small = [
        point(group, marker, color="#555555", markersize=4.5, markerfacecolor="white")
        for group, marker in markers.items()
    ]
    fleet, groups = "fleet, with 95 %\ninterval across devices", "\ngroups"
    handles = [point(fleet, "", color="none"), *strategies, point(groups, "", color="none"), *small]
    for text in figure.legend(handles=handles, loc="outside right upper").get_texts():
        if text.get_text() in (fleet, groups):
            text.set_fontweight("bold")


_FIGURES: dict[str, tuple[Callable[[Source], pd.DataFrame], Callable[[pd.DataFrame, Source], Figure]]] = {
    "accuracy_over_time": (tables.accuracy_over_time, draw_accuracy_over_time),
    "accuracy_against_uplink": (tables.accuracy_against_bytes, draw_accuracy_against_uplink),
    "staleness": (tables.staleness_over_time, draw_staleness),
}
