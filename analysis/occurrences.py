"""What befell a run besides its predictions: batches that came to nothing, budgets, outages, failures, load."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.table import Table
from rich.text import Text

from analysis.console import light_table
from analysis.reading import Source, folders_of, has_tables, read_table
from analysis.summary import read_summary
from analysis.units import NOT_KNOWN

_BATCHES = {
    "missed": "batches missed while away",
    "lost": "batches lost: crashes, no answer",
    "dropped": "batches dropped or skipped",
}
_SAMPLES = {
    "withheld_samples": "samples withheld, budget",
    "waiting_samples": "samples waiting for a budget",
    "lost_by_uplink_samples": "samples lost by the uplink",
    "refused_samples": "samples refused by the inbox",
    "lost_by_cloud_samples": "samples lost by the cloud",
    "cloud_crashes": "cloud crashes",
    "cloud_steps_lost": "cloud steps lost",
}
_MESSAGES = {
    "failed": "messages given up in outages",
    "dropped": "messages dropped from the outbox",
    "superseded": "versions superseded unsent",
}


def occurrences_table(source: Source) -> Table | None:
    """Lay out how often what happened: one row for each thing that did in some run, one column per strategy.

    None where nothing did.
    """
    found = {
        label: occurrences(folder) if has_tables(folder) else None
        for label, folder in folders_of(source).items()
    }
    rows = list(dict.fromkeys(name for happened in found.values() for name in happened or ()))
    if not rows:
        return None
    table = light_table("what happened besides")
    table.add_column("count of", no_wrap=True)
    for label in found:
        table.add_column(Text(label), justify="right", overflow="fold")
    for name in rows:
        cells = (NOT_KNOWN if each is None else each.get(name, "0") for each in found.values())
        table.add_row(Text(name), *(Text(cell) for cell in cells))
    return table


def occurrences(folder: Path) -> dict[str, str]:
    """Count what happened in one strategy's run, in the order in which it is told; what did not is left out."""
    batches = read_table(folder, "batches", ["status"])["status"].value_counts()
    messages = read_table(folder, "transfers", ["direction", "status", "samples"], ["attempts", "quality"])
    summary = read_summary(folder)
    counts = {
        **{text: int(batches.get(status, 0)) for status, text in _BATCHES.items()},
        **{text: int(summary.get(name) or 0) for name, text in _SAMPLES.items()},
        "accelerators started": _accelerators_started(folder),
        "messages sent again, outages": int((messages["attempts"] > 1).sum())
        if "attempts" in messages
        else 0,
        **{text: int((messages["status"] == status).sum()) for status, text in _MESSAGES.items()},
        **_qualities(messages),
    }
    return {text: f"{count:,}".replace(",", " ") for text, count in counts.items() if count}


def _accelerators_started(folder: Path) -> int:
    """Count the accelerators that autoscaling started."""
    if not (folder / "cloud.parquet").is_file():
        return 0
    return int((read_table(folder, "cloud", ["event"])["event"] == "accelerator_starting").sum())


def _qualities(messages: pd.DataFrame) -> dict[str, int]:
    """Count the samples that were uploaded at each level of quality."""
    if "quality" not in messages:
        return {}
    uploads = messages[(messages["direction"] == "up") & messages["quality"].notna()]
    samples = uploads.groupby("quality")["samples"].sum()
    return {f"samples sent at quality {level:.0f}": int(count) for level, count in samples.items()}
