"""The ablation chart: what each strategy gains on the reference, beside what it uploads for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.intervals import UNITS_TO_RESOLVE
from analysis.measures import Measures
from analysis.style import PALETTE
from analysis.units import bytes_text, percent_text

_FIRST = ["accuracy_difference", "difference_low", "difference_high", "difference_resolved"]
_TOLD, _NOT_TOLD = PALETTE[2], "#8C8C8C"
_PARTNER_OFFSET = 0.2  # of a row


def ablation(measures: Measures) -> pd.DataFrame:
    """Tabulate the chart: one row per point and strategy, but for the reference and random partners.

    Columns: axes, strategy, reference, accuracy_difference with its interval and difference_resolved,
    upload_share and uplink_bytes; random_partner, and with the prefix `random_` the partner's own difference
    to the reference; with the prefix `selection_` the strategy's difference to its random partner, which is what
    choosing samples earns within the same budget.
    """
    runs, rows = measures.runs, []
    partners = {label: runs.random_partner(label) for label in runs.strategies}
    for point in runs.rows_of_points():
        costs = measures.at(measures.table, point).set_index("strategy")
        here = measures.at(measures.differences, point).set_index(["strategy", "reference"])
        for label in runs.strategies:
            if label not in costs.index or label == runs.reference or label in partners.values():
                continue
            row: dict[str, Any] = runs.axis_cells(point) | {"strategy": label, "reference": runs.reference}
            row |= {"seeds": costs.at[label, "seeds"], "across": here.at[(label, runs.reference), "across"]}
            row |= {name: here.at[(label, runs.reference), name] for name in _FIRST}
            row |= {name: costs.at[label, name] for name in ("upload_share", "uplink_bytes")}
            partner = partners[label]
            if partner is not None:
                row["random_partner"] = partner
                for prefix, pair in (("random", (partner, runs.reference)), ("selection", (label, partner))):
                    row |= {f"{prefix}_{name}": here.at[pair, name] for name in _FIRST if pair in here.index}
            rows.append(row)
    prefixed = [f"{prefix}_{name}" for prefix in ("random", "selection") for name in _FIRST]
    columns = [
        *runs.axes,
        "strategy",
        "reference",
        "seeds",
        "across",
        *_FIRST,
        "upload_share",
        "uplink_bytes",
    ]
    return pd.DataFrame(rows, columns=[*columns, "random_partner", *prefixed])


def draw_ablation(table: pd.DataFrame, measures: Measures) -> Figure:
    """Draw the mean over points (or the only point): a row for each strategy, in the study's order."""
    point = measures.runs.rows_of_points()[0]
    rows = measures.at(table, point).reset_index(drop=True)
    has_partners = bool(rows["random_partner"].notna().any())
    figure = Figure(figsize=(9.6, 1.7 + 0.3 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(5, 1.6, 1.6))
    difference, share, size = panels
    difference.axvline(0, color="#444444", linewidth=0.9)
    for place, row in rows.iterrows():
        height = float(str(place))
        offset = _PARTNER_OFFSET if pd.notna(row["random_partner"]) else 0.0
        _draw_difference(difference, row, height - offset, "")
        if offset:
            _draw_difference(difference, row, height + offset, "random_")
    _bars(share, 100 * rows["upload_share"], [percent_text(value, 0) for value in rows["upload_share"]])
    _bars(size, rows["uplink_bytes"], [bytes_text(value) for value in rows["uplink_bytes"]])
    difference.set_yticks(range(len(rows)), [_row_name(row) for row in rows.to_dict("records")])
    difference.set_ylim(len(rows) - 0.4, -0.6)
    difference.grid(visible=False, axis="y")
    difference.set_xlabel(f"online accuracy less that of {measures.runs.reference}, in points")
    difference.set_title(measures.runs.point_text(point))
    share.set_xlabel("samples uploaded")
    size.set_xlabel("sent over the uplink")
    _legend(figure, rows, has_partners=has_partners)
    return figure


def _draw_difference(panel: Axes, row: pd.Series[Any], height: float, prefix: str) -> None:
    names = ("accuracy_difference", "difference_low", "difference_high")
    value, low, high = (100 * float(row[f"{prefix}{name}"]) for name in names)
    colour = _TOLD if bool(row[f"{prefix}difference_resolved"]) else _NOT_TOLD
    if np.isfinite(low):
        panel.plot(
            [low, high], [height, height], color=colour, linewidth=1.4, alpha=0.7, solid_capstyle="butt"
        )
    fill = "white" if prefix else colour
    panel.plot(value, height, "o", color=colour, markerfacecolor=fill, markersize=4.5, zorder=4)


def _bars(panel: Axes, values: pd.Series[float], texts: list[str]) -> None:
    """Draw bars with their values written behind them, and no axis."""
    bars = panel.barh(range(len(values)), values, height=0.5, color="#BCC8D2")
    panel.bar_label(bars, texts, padding=3, fontsize=7.5)
    panel.set_xlim(0, 1.6 * max(float(values.max()), 1e-9))
    panel.set_xticks([])
    panel.grid(visible=False)
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _row_name(row: dict[Any, Any]) -> str:
    """Name the strategy, with what its choice of samples earns on its random partner."""
    gain = row["selection_accuracy_difference"]
    if pd.isna(gain):
        return str(row["strategy"])
    mark = "" if row["selection_difference_resolved"] else " ~"
    return f"{row['strategy']}\nselection {100 * gain:+.1f}{mark}"


def _legend(figure: Figure, rows: pd.DataFrame, *, has_partners: bool) -> None:
    look: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linewidth": 1.4}
    across = "seeds" if "seeds" in set(rows["across"]) else "devices"
    counts = sorted({int(count) for count in rows["seeds"]})
    seeds = " to ".join(str(count) for count in dict.fromkeys([counts[0], counts[-1]]))
    bars = f"across {seeds} seeds" if across == "seeds" else "across the devices of one seed"
    few = f"not resolved: with zero, or fewer than {UNITS_TO_RESOLVE[across]} {across}"
    handles = [
        Line2D([], [], color=_TOLD, label=f"95 % interval {bars}, without zero", **look),
        Line2D([], [], color=_NOT_TOLD, label=few, **look),
    ]
    if has_partners:
        text = "random selection within the same budget; selection: what choosing earns on that"
        handles.append(Line2D([], [], color=_NOT_TOLD, markerfacecolor="white", label=text, **look))
    figure.legend(handles=handles, loc="outside upper left", ncols=2)
