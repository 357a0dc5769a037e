"""Strategies side by side: one row each, with the paired difference to the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.intervals import NOTHING, Interval, ratio_interval
from analysis.reading import Source, folders_of, has_tables, read_manifest, read_predicted, with_tables
from analysis.summary import summarise
from sim.results import COMPARISON

_PAIR = ["device", "batch"]
_SAME = ["arrival_s", "samples", "corruption", "severity"]  # what common random numbers keep the same


def write_comparison(folder: Path) -> pd.DataFrame:
    """Write `comparison.csv` into the folder that holds several strategies, and return its rows.

    The folder of a single strategy has nothing to compare: its one row is returned and nothing is written.
    """
    table = comparison(folder)
    if not has_tables(folder):
        table.to_csv(folder / COMPARISON, index=False, lineterminator="\n")
    return table


def comparison(source: Source) -> pd.DataFrame:
    """Compare strategies: one row each, in the scenario's order.

    Columns: strategy, status, the plain numbers of `summary.json`, accuracy_low and accuracy_high, and the
    paired difference to the strategy in the column `reference` (accuracy_difference, difference_low,
    difference_high, difference_resolved, paired_samples). A strategy that left no tables has its status and
    nothing else. The intervals are across the devices of one seed (see `analysis.intervals`).
    """
    complete = with_tables(source)
    reference = next(iter(complete))
    rows = []
    for label, folder in folders_of(source).items():
        if label not in complete:
            rows.append({"strategy": label, "status": read_manifest(folder).get("status", "failed")})
            continue
        row = _plain(summarise(folder)) | {"strategy": label, "reference": reference}
        if label != reference:
            row |= _difference_row(complete[reference], folder)
        rows.append(row)
    table = pd.DataFrame(rows)
    first = ["strategy", "status", "accuracy", "accuracy_low", "accuracy_high"]
    last = ["reference", *_difference_columns(NOTHING, 0)]
    middle = [column for column in table.columns if column not in (*first, *last)]
    return table.reindex(columns=[*first, *middle, *last])


def paired_difference(reference: Path, other: Path) -> tuple[Interval, int]:
    """Estimate the other strategy's online accuracy less the reference's, over batches that both predicted.

    Batches are paired by device and number; under common random numbers they hold the same images. Returns
    the difference (a share) with its interval across devices, and the number of samples it rests on: nothing
    and 0 where the two runs did not see the same batches.
    """
    devices = gains_by_device(read_outcomes(reference), read_outcomes(other))
    return ratio_interval(devices["gain"], devices["samples"]), int(devices["samples"].sum())


def read_outcomes(folder: Path) -> pd.DataFrame:
    """Read what became of each predicted batch: device, batch, arrival, samples, shift and correct answers."""
    return read_predicted(folder, [*_PAIR, *_SAME, "correct"])


def gains_by_device(reference: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Add up, by device, what the other strategy got right beyond the reference: gain and samples.

    Both frames are those of `read_outcomes`, or the same selection of their rows. Only batches in both count;
    there is no row where any of these differ in their arrival, samples or shift.
    """
    pairs = reference.merge(other, on=_PAIR, suffixes=("", "_other"))
    if any((pairs[column] != pairs[f"{column}_other"]).any() for column in _SAME):
        pairs = pairs[:0]
    pairs["gain"] = pairs["correct_other"] - pairs["correct"]
    return pairs.groupby("device")[["gain", "samples"]].sum()


def _plain(summary: dict[str, Any]) -> dict[str, Any]:
    low, high = summary["accuracy_interval"]
    plain = {key: value for key, value in summary.items() if not isinstance(value, dict | list)}
    return plain | {"accuracy_low": low, "accuracy_high": high}


def _difference_row(reference: Path, other: Path) -> dict[str, Any]:
    return _difference_columns(*paired_difference(reference, other))


def _difference_columns(difference: Interval, samples: int) -> dict[str, Any]:
    return {
        "accuracy_difference": difference.estimate,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "difference_resolved": difference.resolved,
        "paired_samples": samples,
    }
