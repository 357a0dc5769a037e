"""Online accuracy over time in a study: the mean over seeds, a panel for each point and group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import tables
from analysis.bands import Bands
from analysis.measures import Measures
from analysis.reading import read_scenario
from analysis.runs import Point, Runs
from analysis.seeds import seed_bands
from analysis.style import RC, group_panels, label_time, line_styles, panel_width, percent_axis, time_unit

MOST_PANELS = 12
"""More than these are drawn as one figure for each point."""
MOST_LINES = 8
"""Of more strategies than these, some are picked out and the others stay grey."""

_BIN = ["group", "start_s", "end_s", "time_s"]
_GREY: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 0.7, "zorder": 1.5}


def study_accuracy_over_time(runs: Runs) -> pd.DataFrame:
    """Tabulate online accuracy by time of arrival: one row per point, strategy, group and bin.

    Columns: axes, strategy, group, start_s, end_s, time_s (the bin's centre), seeds, accuracy (mean over
    seeds) with accuracy_low and accuracy_high: the 95% interval across seeds, where all seeds predicted in
    the bin.
    """
    cells: dict[tuple[Point, str], list[pd.DataFrame]] = {}
    for point, seed, folders in runs.cells():
        for label, rows in tables.accuracy_over_time(folders).groupby("strategy"):
            cells.setdefault((point, str(label)), []).append(rows.assign(seed=seed))
    frames = []
    for point in runs.points:
        for label in runs.strategies:
            if (point, label) in cells:
                found = _over_seeds(pd.concat(cells[point, label]))
                frames.append(found.assign(**runs.axis_cells(point), strategy=label))
    columns = [*runs.axes, "strategy", *_BIN, "seeds", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    by_seed = rows.pivot_table(index=_BIN, columns="seed", values="accuracy", sort=False)
    values = by_seed.to_numpy(dtype=np.float64).T
    low, high = np.full((2, values.shape[1]), np.nan)
    complete = ~np.isnan(values).any(axis=0)
    low[complete], high[complete] = seed_bands(values[:, complete])
    found = by_seed.mean(axis=1).rename("accuracy").reset_index()
    return found.assign(accuracy_low=low, accuracy_high=high, seeds=(~np.isnan(values)).sum(axis=0))


def highlighted(measures: Measures) -> list[str]:
    """Pick the strategies to draw in colour: all of a few, or else those that the legend describes.

    The best is the one with the highest accuracy in the mean over points.
    """
    runs = measures.runs
    if len(runs.strategies) <= MOST_LINES:
        return runs.strategies
    rows = measures.at(measures.table, runs.rows_of_points()[0])
    ranked = [str(label) for label in rows.sort_values("accuracy", ascending=False)["strategy"]]
    methods = [label for label in ranked if runs.settings[label].get("name") == "cema"]
    picked = [runs.reference, runs.unadapted, *ranked[:1], *methods[:1]]
    picked += [partner for label in methods[:1] if (partner := runs.random_partner(label))]
    return [label for label in runs.strategies if label in picked]


def draw_study_accuracy(table: pd.DataFrame, measures: Measures, points: list[Point]) -> Figure:
    """Draw the lines of some points: a panel for each point and group, the shifts along the top."""
    runs = measures.runs
    schedule = _schedule(runs, points)
    unit_s, unit = time_unit(float(schedule["end_s"].max()))
    titles = list(dict.fromkeys(schedule["group"]))
    bands = Bands(schedule, unit_s, panel_width(titles))
    figure, panels = group_panels(titles, share_y=True)
    picked = highlighted(measures)
    styles = line_styles(picked)
    shown = pd.concat([measures.at(table, point) for point in points])
    keys = [(point, group) for point in points for group in _groups(runs, point)]
    for (point, group), title, panel in zip(keys, titles, panels, strict=True):
        rows = measures.at(table, point)
        rows = rows[rows["group"] == group]
        for label in [*(name for name in runs.strategies if name not in picked), *picked]:
            _draw_line(panel, rows[rows["strategy"] == label], unit_s, styles.get(label))
        bands.draw(panel, title)
        panel.set_xlim(0, float(schedule["end_s"].max()) / unit_s)
    label_time(panels, unit)
    figure.supylabel("online accuracy", fontsize=RC["font.size"])
    percent_axis(panels[0], shown["accuracy"])
    _legend(figure, styles, runs, seeds=int(table["seeds"].max()))
    bands.draw_key(figure)
    return figure


def _draw_line(panel: Axes, rows: pd.DataFrame, unit_s: float, style: dict[str, Any] | None) -> None:
    times = rows["time_s"] / unit_s
    if style is not None:
        low, high = rows["accuracy_low"], rows["accuracy_high"]
        panel.fill_between(times, low, high, color=style["color"], alpha=0.13, linewidth=0)
    panel.plot(times, rows["accuracy"], **(style or _GREY))


def _legend(figure: Figure, styles: dict[str, dict[str, Any]], runs: Runs, seeds: int) -> None:
    handles = [Line2D([], [], label=label, **style) for label, style in styles.items()]
    title = f"mean over {seeds} seeds, band: 95 % interval" if seeds > 1 else "one seed"
    grey = len(runs.strategies) - len(styles)
    if grey:
        title += "; in colour: the first, the unadapted, the best, and the best CEMA with its random partner"
        handles.append(Line2D([], [], label=f"the other {grey} strategies", **_GREY))
    figure.legend(
        handles=handles,
        title=title,
        alignment="left",
        loc="outside upper right",
        ncols=min(6, len(handles)),
    )


def _groups(runs: Runs, point: Point) -> list[str]:
    folder = next(run.folder for run in runs.done if run.point == point)
    return [str(group) for group in read_scenario(folder)["groups"]]


def _schedule(runs: Runs, points: list[Point]) -> pd.DataFrame:
    """Lay out the shifts of every point and group; the column `group` holds the panel's title."""
    frames = []
    for point in points:
        folder = next(run.folder for run in runs.done if run.point == point)
        schedule = tables.shift_schedule(read_scenario(folder))
        name = runs.point_text(point)
        titles = f"{name}, " + schedule["group"] if name else schedule["group"]
        frames.append(schedule.assign(group=titles))
    return pd.concat(frames, ignore_index=True)
