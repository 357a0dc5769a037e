"""The tables printed at the end of a run."""

from __future__ import annotations

import math
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.comparison import comparison
from analysis.intervals import UNITS_TO_RESOLVE
from analysis.powers import missing_powers
from analysis.reading import Source
from analysis.tables import accuracy_by_shift
from analysis.units import NOT_KNOWN, bytes_text, joules_text, listed, percent_text, seconds_text, shift_text

_COSTS = ("worst\ndevice", "upload\nshare", "uplink\ndownlink", "updates\nage p50")
_LATENCY = "latency\np50, p95"
_ENERGY = "energy_j_per_1000_predictions"
_CAPTION = "brackets: 95 % interval across the devices of this one seed; age: of the version that predicted"
_POWERED = "energy: for 1000 predictions"
_UNRESOLVED = f"not resolved: the interval contains zero, or fewer than {UNITS_TO_RESOLVE['devices']} devices"


def result_table(source: Source) -> Table:
    """Lay out what each strategy achieved and what it cost: one row per strategy.

    Accuracies and differences carry their 95% interval across the devices of this one seed; a difference
    whose interval contains zero, or behind which fewer than six devices stand, is marked as not resolved.
    """
    rows = [_Row(row) for row in comparison(source).to_dict("records")]
    several = len(rows) > 1
    unresolved = any(
        row["difference_resolved"] is not None and not row["difference_resolved"] for row in rows
    )
    powered = any(row[_ENERGY] is not None for row in rows)
    captions = [
        _CAPTION,
        *([_POWERED] if powered else _unpowered(source)),
        *([_UNRESOLVED] if unresolved else []),
    ]
    table = light_table(_title(rows), "; ".join(captions))
    table.add_column("strategy", overflow="fold")
    table.add_column("online\naccuracy", justify="right", no_wrap=True)
    if several:
        reference = next(row["reference"] for row in rows if row["reference"] is not None)
        table.add_column(f"difference\nto {reference}", justify="right", no_wrap=True)
    for header in _COSTS:
        table.add_column(header, justify="right")
    table.add_column(f"{_LATENCY}\nenergy" if powered else _LATENCY, justify="right")
    for row in rows:
        cells = [_name(row), _with_interval(row), *([_difference(row)] if several else []), *_costs(row)]
        if powered:
            cells[-1] += f"\n{joules_text(row[_ENERGY])}"
        table.add_row(*(Text(cell) for cell in cells))
    return table


def shift_table(source: Source) -> Table:
    """Lay out online accuracy by group and shift, one column per strategy; the best of a row is bold."""
    cells = accuracy_by_shift(source)
    strategies = list(dict.fromkeys(cells["strategy"]))
    table = light_table("online accuracy in % by group and shift")
    table.add_column("group", no_wrap=True)
    table.add_column("shift", no_wrap=True)
    for strategy in strategies:
        table.add_column(Text(strategy), justify="right", overflow="fold")
    previous = None
    for (group, corruption, severity), rows in cells.groupby(["group", "corruption", "severity"], sort=False):
        if previous not in (None, group):
            table.add_section()
        shares = dict(zip(rows["strategy"], rows["accuracy"], strict=True))
        name = Text(str(group) if group != previous else "")
        table.add_row(
            name, Text(shift_text(str(corruption), int(str(severity)))), *_ranked(shares, strategies)
        )
        previous = group
    return table


def light_table(title: str | None, caption: str | None = None) -> Table:
    """Make a table without lines that fits a terminal of 80 columns."""
    looks: dict[str, Any] = {"title_justify": "left", "caption_justify": "left", "box": SIMPLE_HEAD}
    return Table(title=title, caption=caption, padding=0, **looks)


def _unpowered(source: Source) -> list[str]:
    """Say for want of which powers the energy is not known."""
    missing = [
        f"{power} of {listed(groups, others='more groups')}"
        for power, groups in missing_powers(source).items()
    ]
    return [f"energy: not known without {', '.join(missing)}"] if missing else []


class _Row:
    """One strategy's row of the comparison; a number that is missing reads as None."""

    def __init__(self, values: dict[Any, Any]) -> None:
        self._values = values

    def __getitem__(self, column: str) -> Any:
        value = self._values.get(column)
        return None if isinstance(value, float) and math.isnan(value) else value


def _title(rows: list[_Row]) -> str | None:
    named = next((row for row in rows if row["scenario"] is not None), None)
    return None if named is None else f"{named['scenario']}, seed {int(named['seed'])}"


def _name(row: _Row) -> str:
    return str(row["strategy"]) if row["status"] == "done" else f"{row['strategy']}\n({row['status']})"


def _with_interval(row: _Row) -> str:
    low, high = row["accuracy_low"], row["accuracy_high"]
    text = percent_text(row["accuracy"])
    return text if low is None else f"{text}\n[{100 * low:.1f}, {100 * high:.1f}]"


def _difference(row: _Row) -> str:
    if row["reference"] is None or row["strategy"] == row["reference"]:
        return NOT_KNOWN
    if row["accuracy_difference"] is None:
        return "not paired"
    text = f"{100 * row['accuracy_difference']:+.1f} pts"
    if row["difference_low"] is not None:
        text += f"\n[{100 * row['difference_low']:+.1f}, {100 * row['difference_high']:+.1f}]"
    return text if row["difference_resolved"] else f"{text}\nnot resolved"


def _costs(row: _Row) -> list[str]:
    updates = row["updates_published"]
    return [
        percent_text(row["accuracy_worst_device"]),
        percent_text(row["upload_share"]),
        f"{bytes_text(row['uplink_bytes'])}\n{bytes_text(row['downlink_bytes'])}",
        f"{NOT_KNOWN if updates is None else int(updates)}\n{seconds_text(row['staleness_p50_s'])}",
        f"{seconds_text(row['prediction_latency_p50_s'])}\n{seconds_text(row['prediction_latency_p95_s'])}",
    ]


def _ranked(shares: dict[str, float], strategies: list[str]) -> list[Text]:
    texts = {name: f"{100 * shares[name]:.1f}" if name in shares else NOT_KNOWN for name in strategies}
    best = max(texts.values(), key=lambda text: -1.0 if text == NOT_KNOWN else float(text))
    bold = len(strategies) > 1
    return [Text(texts[name], style="bold" if bold and texts[name] == best else "") for name in strategies]
