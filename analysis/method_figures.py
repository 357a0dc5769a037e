"""Figures of one run's method: `thresholds`, `losses` and `replay_age`, each beside its numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.bands import Bands
from analysis.method_state import REPLAY_AGES, criteria_over_time, losses_over_time, replay_age_over_time
from analysis.reading import read_scenario
from analysis.style import PALETTE, RC, group_panels, label_time, panel_width, save, time_unit
from analysis.tables import shift_schedule

MOST_PANELS = 12
"""Students beyond these are only in the numbers beside the picture."""

_ENTROPIES = {
    "unreliable.e_max": ("largest entropy that is kept", PALETTE[1]),
    "unreliable.mean_entropy": ("mean entropy so far", PALETTE[0]),
    "low_informative.e_min": ("smallest entropy that is kept", PALETTE[2]),
}
_LOSS_NAMES = {
    "foundation_loss": "foundation model: entropy",
    "distillation_loss": "student: distillation loss",
    "entropy_term": "entropy term",
    "kl_term": "Kullback-Leibler term",
    "cross_entropy_term": "cross-entropy term",
    "adaptation_loss": "adaptation loss",
}
_SMOOTHED_STEPS = 9


def draw_method_figures(folder: Path) -> list[Path]:
    """Draw the figures of one strategy's run into its folder; those without numbers are left out."""
    drawn = []
    for name, (tabulate, draw) in _FIGURES.items():
        table = tabulate(folder)
        if table.empty:
            continue
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        with matplotlib.rc_context(RC):
            figure = draw(table, read_scenario(folder))
            if figure is not None:
                drawn.append(save(figure, folder / f"{name}.png"))
    return drawn


def draw_thresholds(table: pd.DataFrame, scenario: dict[str, Any]) -> Figure | None:
    """Draw the entropy thresholds: a panel per group, thin lines for devices, thick ones for their median.

    None where no criterion has a threshold on the entropy.
    """
    rows = table[table["key"].isin(list(_ENTROPIES))]
    if rows.empty:
        return None
    schedule = shift_schedule(scenario)
    duration_s = float(schedule["end_s"].max())
    unit_s, unit = time_unit(duration_s)
    groups = [group for group in dict.fromkeys(schedule["group"]) if group in set(rows["group"])]
    bands = Bands(schedule, unit_s, panel_width(groups))
    figure, panels = group_panels(groups, share_y=True)
    for group, panel in zip(groups, panels, strict=True):
        for key, (_name, colour) in _ENTROPIES.items():
            own = rows[(rows["group"] == group) & (rows["key"] == key)]
            for _device, line in own.groupby("device"):
                panel.plot(line["arrival_s"] / unit_s, line["value"], color=colour, linewidth=0.5, alpha=0.35)
            if len(own):
                median = _median_of_devices(own)
                panel.plot(median.index / unit_s, median, color=colour, linewidth=1.8)
        bands.draw(panel, group)
        panel.set_xlim(0, duration_s / unit_s)
        panel.set_ylim(bottom=0)
    label_time(panels, unit)
    figure.supylabel("entropy (nats)", fontsize=RC["font.size"])
    handles = [
        Line2D([], [], color=colour, label=name)
        for key, (name, colour) in _ENTROPIES.items()
        if (rows["key"] == key).any()
    ]
    figure.legend(
        handles=handles,
        title="thin: devices, thick: their median; samples between the bounds are uploaded",
        alignment="left",
        loc="outside upper right",
        ncols=3,
    )
    bands.draw_key(figure)
    return figure


def _median_of_devices(rows: pd.DataFrame) -> pd.Series[float]:
    """Give the median over devices of their latest values, at each moment when one of them changed."""
    by_device = rows.pivot_table(index="arrival_s", columns="device", values="value", aggfunc="last")
    return by_device.ffill().median(axis=1)


def draw_losses(table: pd.DataFrame, scenario: dict[str, Any]) -> Figure:
    """Draw each loss over time: points for steps, a line for each student's running median."""
    losses = [column for column in table if column in _LOSS_NAMES]
    unit_s, unit = time_unit(float(scenario["duration_s"]))
    students = list(dict.fromkeys(table["student"]))[: len(PALETTE)]
    colours = dict(zip(students, PALETTE[1:] + PALETTE[:1], strict=False))
    figure = Figure(figsize=(8.6, 1.0 + 1.35 * len(losses)), layout="constrained")
    panels = list(figure.subplots(len(losses), 1, sharex=True, squeeze=False).flat)
    for loss, panel in zip(losses, panels, strict=True):
        for student, colour in colours.items():
            rows = table.loc[table["student"] == student, ["finish_s", loss]].dropna().sort_values("finish_s")
            times = rows["finish_s"] / unit_s
            smooth = rows[loss].rolling(_SMOOTHED_STEPS, center=True, min_periods=1).median()
            panel.plot(times, rows[loss], ".", color=colour, markersize=2, alpha=0.35)
            panel.plot(times, smooth, color=colour, linewidth=1.4)
        panel.set_title(_LOSS_NAMES[str(loss)])
    panels[-1].set_xlim(0, float(scenario["duration_s"]) / unit_s)
    label_time(panels[-1:], unit)
    title = f"points: steps of the cloud, line: running median of {_SMOOTHED_STEPS}"
    handles = [Line2D([], [], color=colour, label=student) for student, colour in colours.items()]
    figure.legend(
        handles=handles,
        title=_of_all(title, table, students),
        alignment="left",
        loc="outside upper right",
        ncols=len(handles),
    )
    return figure


def draw_replay_age(table: pd.DataFrame, scenario: dict[str, Any]) -> Figure:
    """Draw how old the samples in each student's replay buffer are, over time."""
    unit_s, unit = time_unit(float(scenario["duration_s"]))
    students = list(dict.fromkeys(table["student"]))[:MOST_PANELS]
    figure, panels = group_panels(students, share_y=True)
    lowest, lower, middle, upper, highest = REPLAY_AGES
    colour = PALETTE[2]
    for student, panel in zip(students, panels, strict=True):
        rows = table[table["student"] == student].sort_values("start_s")
        times = rows["start_s"] / unit_s
        for low, high, alpha in ((lowest, highest, 0.15), (lower, upper, 0.3)):
            panel.fill_between(
                times, rows[low] / unit_s, rows[high] / unit_s, color=colour, alpha=alpha, linewidth=0
            )
        panel.plot(times, rows[middle] / unit_s, color=colour)
        panel.set(title=f"{student}: {int(rows['replay_samples'].iloc[-1])} samples at the end")
        panel.set_xlim(0, float(scenario["duration_s"]) / unit_s)
        panel.set_ylim(bottom=0)
    label_time(panels, unit)
    figure.supylabel(f"age of the replay buffer's samples ({unit})", fontsize=RC["font.size"])
    title = "line: median; bands: middle half, and youngest to oldest"
    figure.legend(
        handles=[], title=_of_all(title, table, students), alignment="left", loc="outside upper right"
    )
    return figure


def _of_all(title: str, table: pd.DataFrame, shown: list[str]) -> str:
    students = table["student"].nunique()
    return title if students == len(shown) else f"{title}; {len(shown)} of {students} students are shown"


_FIGURES: dict[
    str, tuple[Callable[[Path], pd.DataFrame], Callable[[pd.DataFrame, dict[str, Any]], Figure | None]]
] = {
    "thresholds": (criteria_over_time, draw_thresholds),
    "losses": (losses_over_time, draw_losses),
    "replay_age": (replay_age_over_time, draw_replay_age),
}
