"""The tables of a study or of a comparison: what each strategy achieved and cost, and paired differences.

Shares are fractions, sizes bytes, times seconds. Columns `<quantity>_low` and `<quantity>_high` hold 95% intervals;
`across` says whether they are across seeds or, with a single seed, across its devices. Rows whose axes say
`(mean)` are means over the points at which the first strategy has run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.comparison import gains_by_device, read_outcomes
from analysis.forgetting import forgetting
from analysis.intervals import NOTHING, Interval
from analysis.pooling import Sums, pooled, pooled_values
from analysis.reading import ResultsError
from analysis.recovery import recovery
from analysis.runs import Point, Runs
from analysis.summary import read_summary

_OF_A_RUN = ("strategy", "seed", "folder")
_NOT_MEASURED = ("scenario", "status")
_DIFFERENCE = (
    "strategy",
    "reference",
    "kind",
    "accuracy_difference",
    "difference_low",
    "difference_high",
    "difference_resolved",
    "seeds",
    "across",
    "paired_samples",
)


def measured(runs: Runs) -> pd.DataFrame:
    """Tabulate the finished runs: axes, strategy, seed, folder, and every plain number of `summary.json`."""
    rows = []
    for run in runs.done:
        summary = read_summary(run.folder)
        clash = [axis for axis in runs.axes if axis in (*summary, *_OF_A_RUN)]
        if clash:
            raise ResultsError(f"{runs.name}: axis {clash[0]!r} has the name of a result; give it another")
        numbers = {
            key: math.nan if value is None else value
            for key, value in summary.items()
            if not isinstance(value, dict | list) and key not in (*_NOT_MEASURED, *_OF_A_RUN)
        }
        of_run = dict(zip(_OF_A_RUN, (run.strategy, run.seed, str(run.folder)), strict=True))
        rows.append(runs.axis_cells(run.point) | of_run | numbers)
    return pd.DataFrame(rows)


class Measures:
    """The tables of a set of runs, each computed once."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    @cached_property
    def measured(self) -> pd.DataFrame:
        """One row per finished run, in the order of `runs.done`; see `measured`."""
        return measured(self.runs)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per point and strategy: axes, strategy, seeds, across, and each quantity with its interval."""
        quantities = self.measured.columns[len(self.runs.axes) + len(_OF_A_RUN) :]
        rows = []
        for point, points in self._rows():
            for strategy, right in self._sums.right.items():
                accuracy, seeds = pooled(right, points)
                if not seeds:
                    continue
                row: dict[str, Any] = self.runs.axis_cells(point) | {"strategy": strategy}
                row |= {"seeds": seeds, "across": accuracy.across}
                for quantity in quantities:
                    found = accuracy if quantity == "accuracy" else self._pooled(quantity, strategy, points)
                    row |= _with_ends(quantity, found)
                rows.append(row)
        ends = [name for quantity in quantities for name in _with_ends(quantity, NOTHING)]
        return pd.DataFrame(rows, columns=[*self.runs.axes, "strategy", "seeds", "across", *ends])

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Paired differences of online accuracy: one row per point and pair of strategies.

        Columns: axes, strategy, reference, kind (`first` where the reference is the first strategy, `matched`
        where its budget was matched to the strategy's), accuracy_difference with difference_low and
        difference_high, difference_resolved, seeds, across, paired_samples. Strategies that did not see the
        same batches, or share no seed, have no difference.
        """
        rows = []
        for point, points in self._rows():
            for (strategy, reference, kind), gains in self._sums.gains.items():
                difference, seeds = pooled(gains, points)
                samples = [frame["samples"].sum() for key, frame in gains.items() if key[0] in points]
                row: dict[str, Any] = self.runs.axis_cells(point) | {"strategy": strategy}
                row |= {"reference": reference, "kind": kind, "accuracy_difference": difference.estimate}
                row |= {"difference_low": difference.low, "difference_high": difference.high}
                row |= {"difference_resolved": difference.resolved, "seeds": seeds}
                row |= {"across": difference.across if seeds else "", "paired_samples": int(sum(samples))}
                rows.append(row)
        return pd.DataFrame(rows, columns=[*self.runs.axes, *_DIFFERENCE])

    @cached_property
    def forgetting(self) -> pd.DataFrame:
        """Clean-data forgetting; see `analysis.forgetting`."""
        return forgetting(self.runs)

    @cached_property
    def recovery(self) -> pd.DataFrame:
        """Recovery after each change; see `analysis.recovery`."""
        return recovery(self.runs)

    def at(self, table: pd.DataFrame, point: Point | None) -> pd.DataFrame:
        """Select the rows of one point, or of the mean over points (None), from a table that has the axes."""
        chosen = np.ones(len(table), dtype=bool)
        for axis, label in self.runs.axis_cells(point).items():
            chosen &= (table[axis] == label).to_numpy(dtype=bool)
        return table[chosen]

    def _rows(self) -> list[tuple[Point | None, list[Point]]]:
        mean = self.runs.points_of_mean
        return [(point, mean if point is None else [point]) for point in self.runs.rows_of_points()]

    def _pooled(self, quantity: str, strategy: str, points: list[Point]) -> Interval:
        values = self.measured[quantity].astype(float)
        of_strategy = {
            (run.point, run.seed): value
            for run, value in zip(self.runs.done, values, strict=True)
            if run.strategy == strategy
        }
        return pooled_values(of_strategy, points)

    @cached_property
    def _sums(self) -> _Sums:
        pairs = compared_pairs(self.runs)
        right: dict[str, dict[tuple[Point, int], pd.DataFrame]] = {name: {} for name in self.runs.strategies}
        gains: dict[_Pair, dict[tuple[Point, int], pd.DataFrame]] = {pair: {} for pair in pairs}
        for point, seed, folders in self.runs.cells():
            outcomes = {label: read_outcomes(folder) for label, folder in folders.items()}
            for label, batches in outcomes.items():
                right[label][point, seed] = batches.groupby("device")[["correct", "samples"]].sum()
            for pair in pairs:
                if pair.strategy in outcomes and pair.reference in outcomes:
                    first, other = outcomes[pair.reference], outcomes[pair.strategy]
                    gains[pair][point, seed] = gains_by_device(first, other)
        return _Sums(right, gains)


class _Pair(NamedTuple):
    strategy: str
    reference: str
    kind: str


class _Sums(NamedTuple):
    right: Mapping[str, Sums]
    gains: Mapping[_Pair, Sums]


def compared_pairs(runs: Runs) -> list[_Pair]:
    """List who is compared with whom: all with the first, and each with those whose budget was matched to it."""
    first = [_Pair(label, runs.reference, "first") for label in runs.strategies if label != runs.reference]
    matched = [
        _Pair(label, partner, "matched")
        for label in runs.strategies
        for partner in runs.partners.get(label, [])
        if partner != runs.reference
    ]
    return [*first, *matched]


def _with_ends(quantity: str, found: Interval) -> dict[str, float]:
    return {quantity: found.estimate, f"{quantity}_low": found.low, f"{quantity}_high": found.high}
