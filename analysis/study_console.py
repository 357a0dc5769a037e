"""The tables printed at the end of a study or of a comparison."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from analysis.console import light_table
from analysis.intervals import UNITS_TO_RESOLVE
from analysis.measures import Measures
from analysis.recovery import FELL, NO_CHANGE, NOT_REACHED, RECOVERED, TOO_SHORT
from analysis.runs import Point, Runs
from analysis.study import measures_of
from analysis.units import NOT_KNOWN, bytes_text, percent_text, seconds_text

_FLOPS_UNITS = ("", "k", "M", "G", "T", "P", "E")
_RECOVERY_CAPTION = (
    "after shift: online accuracy on clean batches after the first shift, less that of {reference} on the same "
    "ones; recovery: simulated time from a change of the world until accuracy has covered 90 % of the way from its "
    "first window to the level of the last third, median over the changes after which it rose (no change: the "
    "interval of the rise contains zero; not reached: only in the last third); every change is in recovery.csv"
)


def study_tables(folder: Path) -> list[RenderableType]:
    """Lay out a study: a table for each point, one of their mean, forgetting and recovery, and what failed.

    Raises ResultsError where nothing has finished.
    """
    return measure_tables(measures_of(folder))


def measure_tables(measures: Measures) -> list[RenderableType]:
    """Lay out the tables of any set of runs, with their warnings first and an empty line between each two."""
    runs = measures.runs
    points: list[Point | None] = [*runs.points, *([None] if None in runs.rows_of_points() else [])]
    tables = [_point_table(measures, point) for point in points]
    for table, following in pairwise(tables):
        if table.caption == following.caption:
            table.caption = None  # once, below the last one, will do
    if len(measures.forgetting) or len(measures.recovery):
        tables.append(_change_table(measures))
    if not all(run.usable for run in runs.runs):
        tables.append(_unfinished_table(runs))
    warnings = [Text(f"warning: {text}", style="yellow") for text in runs.warnings]
    return [*warnings, *(part for table in tables for part in (Text(), table))]


def _point_table(measures: Measures, point: Point | None) -> Table:
    runs = measures.runs
    rows = measures.at(measures.table, point)
    differences = measures.at(measures.differences, point).set_index(["strategy", "reference"])
    several, has_partners = len(runs.strategies) > 1, any(map(runs.random_partner, runs.strategies))
    title = ": ".join(filter(None, [runs.name, runs.point_text(point)]))
    table = light_table(escape(title), _caption(measures, rows))
    table.add_column("strategy", overflow="fold")
    table.add_column("online\naccuracy", justify="right", no_wrap=True)
    if several:
        table.add_column(escape(f"difference\nto {runs.reference}"), justify="right")
    if has_partners:
        table.add_column("difference\nto random\npartner", justify="right")
    for header in ("upload\nshare", "uplink\ndownlink", "FLOPs\ncloud\ndevice"):
        table.add_column(header, justify="right", no_wrap=True)
    seeds = int(rows["seeds"].max()) if len(rows) else 0
    for row in rows.to_dict("records"):
        label = str(row["strategy"])
        cells = [label if row["seeds"] == seeds else f"{label}\n{_fewer_seeds(row, seeds)}"]
        cells.append(_with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"]))
        if several:
            cells.append(_difference(differences, label, runs.reference, row["seeds"]))
        if has_partners:
            cells.append(_difference(differences, label, runs.random_partner(label), row["seeds"]))
        cells.append(percent_text(row["upload_share"]))
        cells.append(f"{bytes_text(row['uplink_bytes'])}\n{bytes_text(row['downlink_bytes'])}")
        cells.append(f"{flops_text(row['cloud_flops'])}\n{flops_text(row['device_flops'])}")
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _fewer_seeds(row: dict[Any, Any], seeds: int) -> str:
    interval = ", interval across devices" if row["across"] == "devices" else ""
    return f"({row['seeds']} of {seeds} seeds{interval})"


def _caption(measures: Measures, rows: pd.DataFrame) -> str:
    across = "seeds" if "seeds" in set(rows["across"]) else "devices"
    seeds = int(rows["seeds"].max()) if len(rows) else 0
    units = f"{seeds} seeds" if across == "seeds" else "the devices of one seed"
    needed = UNITS_TO_RESOLVE[across]
    if across == "seeds" and seeds < needed:
        units += " (hardly more than their range, and too narrow)"
    brackets = f"brackets: 95 % interval across {units}"
    if len(measures.runs.strategies) == 1:
        return brackets
    return (
        f"{brackets}; differences in points, over the same batches; "
        f"~ not resolved: the interval contains zero, or fewer than {needed} {across}"
    )


def _with_interval(share: float, low: float, high: float) -> str:
    text = percent_text(share)
    return text if math.isnan(low) else f"{text}\n[{100 * low:.1f}, {100 * high:.1f}]"


def _difference(differences: pd.DataFrame, strategy: str, reference: str | None, seeds: int) -> str:
    if reference is None or (strategy, reference) not in differences.index:
        return NOT_KNOWN
    return difference_text(
        differences.loc[[(strategy, reference)]].iloc[0].to_dict(), "accuracy_difference", seeds
    )


def difference_text(row: dict[Any, Any], column: str, seeds: int) -> str:
    """Write a difference of shares in points: `+0.4 ~` over `[-0.3, +1.2]`, `~` where it is not resolved."""
    if math.isnan(row[column]):
        return "not paired"
    mark = "" if row["difference_resolved"] else " ~"
    text = f"{100 * row[column]:+.1f}{mark}"
    if not math.isnan(row["difference_low"]):
        text += f"\n[{100 * row['difference_low']:+.1f}, {100 * row['difference_high']:+.1f}]"
    return text if row["seeds"] == seeds else f"{text}\n({row['seeds']} seeds)"


def flops_text(operations: float) -> str:
    """Write a number of floating-point operations with three significant digits: 950, 1.23 G."""
    if math.isnan(operations):
        return NOT_KNOWN
    value, unit = float(operations), 0
    while float(f"{value:.3g}") >= 1000 and unit < len(_FLOPS_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_FLOPS_UNITS[unit]}".strip()


def _change_table(measures: Measures) -> Table:
    runs = measures.runs
    caption = escape(_RECOVERY_CAPTION.format(reference=runs.unadapted))
    title = "forgetting and recovery" + (", over all points" if len(runs.points) > 1 else "")
    table = light_table(title, caption)
    table.add_column("strategy", overflow="fold")
    for header in ("clean data\nafter shift", "recovery\nmedian", "samples\nper device", "changes"):
        table.add_column(header, justify="right")
    forgot = measures.at(measures.forgetting, runs.rows_of_points()[0]).set_index("strategy")
    seeds = int(forgot["seeds"].max()) if len(forgot) else 0
    for label in runs.strategies:
        changes = measures.recovery[measures.recovery["strategy"] == label]
        clean = NOT_KNOWN
        if label in forgot.index:
            clean = difference_text(forgot.loc[[label]].iloc[0].to_dict(), "clean_accuracy_difference", seeds)
        table.add_row(*(Text(cell) for cell in (label, clean, *recovery_texts(changes))))
    return table


def recovery_texts(changes: pd.DataFrame) -> tuple[str, str, str]:
    """Sum up changes, rows of `analysis.recovery`: median time, samples per device, and how they went.

    After a rise that was not reached, recovery counts as longer than any other.
    """
    status = changes["status"]
    counts = [
        f"{(status == name).sum()} {name}" for name in (RECOVERED, NOT_REACHED, NO_CHANGE, FELL, TOO_SHORT)
    ]
    summary = "\n".join(text for text in counts if not text.startswith("0 "))
    rose = changes[status.isin([RECOVERED, NOT_REACHED])]
    if rose.empty:
        return (NO_CHANGE if (status == NO_CHANGE).any() else NOT_KNOWN), NOT_KNOWN, summary or NOT_KNOWN
    middle = (
        rose.assign(order=rose["recovery_s"].fillna(np.inf)).sort_values("order").iloc[(len(rose) - 1) // 2]
    )
    if math.isnan(middle["recovery_s"]):
        return NOT_REACHED, NOT_KNOWN, summary
    mark = "" if rose["rise_resolved"].all() else " ~"
    return f"{seconds_text(middle['recovery_s'])}{mark}", f"{middle['samples_per_device']:.0f}", summary


def _unfinished_table(runs: Runs) -> Table:
    table = light_table("runs without results")
    for header in ("strategy", "seed", "point", "status", "error"):
        table.add_column(header, overflow="fold")
    for run in runs.runs:
        if not run.usable:
            cells = (run.strategy, str(run.seed), runs.point_text(run.point), run.status, run.error)
            table.add_row(*(Text(cell) for cell in cells))
    return table
