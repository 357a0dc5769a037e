from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.console import result_table, shift_table


def _printed(table: Table, width: int = 100) -> str:
    console = Console(width=width, file=StringIO(), no_color=True)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def _cells(table: Table) -> list[list[str]]:
    return [
        [str(cell) for cell in row] for row in zip(*(column.cells for column in table.columns), strict=True)
    ]


def test_one_row_per_strategy(both: Path) -> None:
    source, cema = _cells(result_table(both))
    assert source == [
        "source",
        "46.0 %\n[30.0, 60.0]",
        "-",
        "30.0 %",
        "0.0 %",
        "0 B\n0 B",
        "0\n-",
        "375 ms\n625 ms",
    ]
    assert cema == [
        "cema",
        "66.7 %\n[60.0, 80.0]",
        "+20.0 pts\n[+20.0, +20.0]\nnot resolved",
        "60.0 %",
        "25.0 %",
        "3.62 kB\n840 B",
        "1\n3 s",
        "375 ms\n750 ms",
    ]


def test_a_single_strategy_has_no_difference(cema: Path) -> None:
    printed = _printed(result_table(cema))
    assert "small, seed 3" in printed
    assert "difference" not in printed


def test_fits_a_terminal_of_80_columns(both: Path) -> None:
    printed = _printed(result_table(both), width=80)
    assert "…" not in printed
    assert "[+20.0, +20.0]" in printed


def test_a_failed_strategy_is_named(both: Path) -> None:
    for table in (both / "cema").glob("*.parquet"):
        table.unlink()
    (both / "cema" / "manifest.json").write_text(json.dumps({"strategy": "cema", "status": "failed"}))
    nothing = ["-", "-", "-", "-", "-\n-", "-\n-", "-\n-"]
    assert _cells(result_table(both))[1] == ["cema\n(failed)", *nothing]


def test_accuracy_by_group_and_shift(both: Path) -> None:
    assert _cells(shift_table(both)) == [
        ["wired", "clean", "70.0", "70.0"],
        ["", "fog 3", "30.0", "70.0"],
        ["lte", "gaussian noise 5", "30.0", "60.0"],
    ]


def test_a_run_interrupted_before_any_prediction(writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = writer(tmp_path / "run", "cema", {}, {"status": "interrupted"})
    assert _cells(result_table(folder))[0][:2] == ["cema\n(interrupted)", "-"]
    assert _cells(shift_table(folder)) == []


def test_what_is_not_resolved_is_explained_where_there_is_such(both: Path, cema: Path) -> None:
    assert "fewer than 6 devices" in " ".join(_printed(result_table(both)).split())
    assert "not resolved" not in _printed(result_table(cema))


def test_energy_is_shown_where_it_is_known(both: Path) -> None:
    assert "energy" not in _printed(result_table(both))
    path = both / "cema" / "devices.parquet"
    spent = {f"energy_{part}_j": 2.0 for part in ("compute", "idle", "transmit", "receive")}
    pd.read_parquet(path).assign(**spent).to_parquet(path)
    table = result_table(both)
    spent_on = [row[-1].splitlines()[2] for row in _cells(table)]
    assert spent_on == ["-", "400 J"]  # 24 J for sixty predictions
    printed = _printed(table, width=80)
    assert "…" not in printed
    assert "energy: for 1000 predictions" in " ".join(printed.split())


def test_the_powers_are_named_without_which_energy_is_not_known(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    known = {"compute": {"busy_w": 5.0, "idle_w": 2.0}, "link": {"transmit_w": 1.0, "receive_w": 1.0}}
    lacking = known | {"link": {"receive_w": 1.0}}
    groups = {"wired": known} | dict.fromkeys(("a", "b", "c", "d"), lacking)
    folder = writer(tmp_path / "run", "cema", {}, scenario={"strategy": [], "groups": groups})
    printed = " ".join(_printed(result_table(folder), width=80).split())
    assert "energy: not known without link.transmit_w of a, b, c and 1 more groups" in printed
