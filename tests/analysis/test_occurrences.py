from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis.occurrences import occurrences, occurrences_table
from analysis.reading import Source


def _change(folder: Path, table: str, **columns: Any) -> None:
    path = folder / f"{table}.parquet"
    pd.read_parquet(path).assign(**columns).to_parquet(path)


def _printed(source: Source) -> list[str]:
    console = Console(width=80, file=StringIO(), no_color=True)
    console.print(occurrences_table(source))
    assert isinstance(console.file, StringIO)
    return [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_nothing_is_told_of_what_did_not_happen(cema: Path) -> None:
    assert occurrences(cema) == {}
    assert occurrences_table(cema) is None


def test_batches_are_counted_by_what_became_of_them(cema: Path) -> None:
    status = ["missed", "missed", "lost", "dropped", "queued", "in_progress"]
    _change(cema, "batches", status=status)
    assert occurrences(cema) == {
        "batches missed while away": "2",
        "batches lost: crashes, no answer": "1",
        "batches dropped or skipped": "1",
    }


def test_samples_and_the_clouds_troubles_come_from_the_summary(cema: Path) -> None:
    states = ("withheld", "waiting", "refused", "lost_by_cloud")
    _change(
        cema, "devices", **{f"samples_{state}": [1000 + place, 0, 0] for place, state in enumerate(states)}
    )
    _change(cema, "updates", status=["finished", "lost"])
    events = ["started", "accelerator_starting", "accelerator_ready", "crashed", "restarted"]
    rows = {"time_s": [0.0, 1.0, 2.0, 3.0, 4.0], "event": events, "accelerators": [1, 2, 2, 0, 1]}
    pd.DataFrame(rows).to_parquet(cema / "cloud.parquet")
    assert occurrences(cema) == {
        "samples withheld, budget": "1 000",
        "samples waiting for a budget": "1 001",
        "samples refused by the inbox": "1 002",
        "samples lost by the cloud": "1 003",
        "cloud crashes": "1",
        "cloud steps lost": "1",
        "accelerators started": "1",
    }


def test_messages_are_counted_that_were_not_simply_sent(cema: Path) -> None:
    """Three uploads of 4, 6 and 5 samples, and an update."""
    _change(
        cema,
        "transfers",
        status=["failed", "dropped", "delivered", "superseded"],
        attempts=[8, 0, 2, 0],
        quality=[0, 1, 1, None],
    )
    assert occurrences(cema) == {
        "messages sent again, outages": "2",
        "messages given up in outages": "1",
        "messages dropped from the outbox": "1",
        "versions superseded unsent": "1",
        "samples sent at quality 0": "4",
        "samples sent at quality 1": "11",
    }


def test_there_is_a_column_for_each_strategy(both: Path) -> None:
    _change(both / "cema", "transfers", attempts=[2, 1, 0, 1])
    assert _printed(both) == [
        "what happened besides",
        "count of                     source cema",
        "────────────────────────────────────────",
        "batches dropped or skipped        1    0",
        "messages sent again, outages      0    1",
    ]


def test_a_strategy_without_tables_is_not_counted(both: Path) -> None:
    for table in (both / "cema").glob("*.parquet"):
        table.unlink()
    assert _printed(both)[-1] == "batches dropped or skipped      1    -"


def test_a_folder_of_an_older_version_says_what_it_can(writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = writer(tmp_path / "run", "cema", {})
    (folder / "cloud.parquet").unlink()
    path = folder / "transfers.parquet"
    pd.read_parquet(path).drop(columns=["attempts", "quality"]).to_parquet(path)
    assert occurrences(folder) == {}
