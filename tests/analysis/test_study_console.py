from __future__ import annotations

import math
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from analysis.gathering import gather
from analysis.measures import Measures
from analysis.reading import ResultsError
from analysis.study_console import difference_text, flops_text, measure_tables, recovery_texts, study_tables


@pytest.fixture(scope="module")
def parts(study_as_left: Path) -> list[Any]:
    return study_tables(study_as_left)


def _tables(parts: list[Any]) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


def _cells(table: Table) -> list[list[str]]:
    return [
        [str(cell) for cell in row] for row in zip(*(column.cells for column in table.columns), strict=True)
    ]


def _printed(parts: list[Any], width: int = 80) -> str:
    console = Console(width=width, file=StringIO(), no_color=True)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_table_for_each_point_one_for_the_mean_and_one_for_changes(parts: list[Any]) -> None:
    titles = [table.title for table in _tables(parts)]
    assert titles == [
        "study: mild",
        "study: harsh",
        "study: mean over 2 points",
        "forgetting and recovery, over all points",
    ]


def test_rows(parts: list[Any]) -> None:
    mild = _tables(parts)[0]
    source, cema, random = _cells(mild)
    assert source == ["source", "58.7 %\n[56.7, 60.0]", "-", "-", "0.0 %", "0 B\n0 B", "0\n1 k"]
    assert cema == [
        "cema",
        "66.0 %\n[63.3, 69.3]",
        "+7.3\n[+6.7, +9.3]",
        "+0.7 ~\n[+0.0, +2.7]",
        "10.0 %",
        "3 kB\n0 B",
        "0\n1 k",
    ]
    assert random[2:4] == ["+6.7\n[+6.7, +6.7]", "-"]


def test_forgetting_and_recovery(parts: list[Any]) -> None:
    table = _tables(parts)[-1]
    assert _cells(table)[1] == ["cema", "-10.0\n[-10.0, -10.0]", "-", "-", "4 too short"]
    assert "less that of source on the same ones" in str(table.caption)


def test_missing_seeds_are_told(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    failed = (("cema", 2, "mild"), ("random-cema", 1, "mild"))
    tables = _tables(study_tables(study_writer(tmp_path / "study", worlds=("mild",), failed=failed)))
    cema = _cells(tables[0])[1]
    assert cema[0] == "cema\n(4 of 5 seeds)"
    assert cema[3].endswith("(3 seeds)")
    assert _cells(tables[-1])[0] == ["cema", "2", "mild", "failed", "InputError: no weights"]
    assert tables[-1].title == "runs without results"


def test_a_strategy_with_one_seed_among_several_says_so(
    study_writer: Callable[..., Path], tmp_path: Path
) -> None:
    failed = tuple(("cema", seed, "a [b]") for seed in (1, 2))
    folder = study_writer(tmp_path / "s", ("source", "cema"), range(3), ("a [b]",), failed)
    [first, *_] = _tables(study_tables(folder))
    assert _cells(first)[1][0] == "cema\n(1 of 3 seeds, interval across devices)"
    assert "s: a [b]" in _printed([first])


def test_fits_a_terminal_of_80_columns(parts: list[Any]) -> None:
    printed = _printed(parts)
    assert "…" not in printed
    assert printed.count("brackets: 95 % interval across 5 seeds") == 1


def test_few_seeds_are_called_few(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    tables = _tables(study_tables(study_writer(tmp_path / "s", seeds=range(2), worlds=())))
    assert "2 seeds (hardly more than their range, and too narrow)" in str(tables[0].caption)
    assert "~" in _cells(tables[0])[1][2]


def test_one_strategy_and_one_seed(study_writer: Callable[..., Path], tmp_path: Path) -> None:
    tables = _tables(study_tables(study_writer(tmp_path / "s", ("cema",), range(1), ())))
    assert [str(column.header) for column in tables[0].columns[:3]] == [
        "strategy",
        "online\naccuracy",
        "upload\nshare",
    ]
    assert tables[0].caption == "brackets: 95 % interval across the devices of one seed"


def test_warnings_come_first(small_run: Callable[..., Path], tmp_path: Path) -> None:
    folders = [
        small_run(tmp_path / "a", "source", 0, (8, 2, 8), cloud={"gflops": 1}),
        small_run(tmp_path / "b", "cema", 0, (8, 2, 8), cloud={"gflops": 2}),
    ]
    parts = measure_tables(Measures(gather(folders)))
    assert str(parts[0]).startswith(
        "warning: the scenario of cema differs from that of source in cloud.gflops"
    )


def test_not_a_study(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="not a study folder"):
        study_tables(tmp_path)


def test_differences_in_words() -> None:
    row = {"x": 0.004, "difference_low": -0.003, "difference_high": 0.012, "difference_resolved": False}
    assert difference_text(row | {"seeds": 5}, "x", 5) == "+0.4 ~\n[-0.3, +1.2]"
    assert difference_text(row | {"seeds": 3, "difference_resolved": True}, "x", 5) == (
        "+0.4\n[-0.3, +1.2]\n(3 seeds)"
    )
    assert difference_text(row | {"seeds": 1, "difference_low": math.nan}, "x", 1) == "+0.4 ~"
    assert difference_text({"x": math.nan}, "x", 5) == "not paired"


@pytest.mark.parametrize(
    ("operations", "text"),
    [(0, "0"), (950, "950"), (1_234_000, "1.23 M"), (999_600, "1 M"), (2.5e13, "25 T"), (math.nan, "-")],
)
def test_operations(operations: float, text: str) -> None:
    assert flops_text(operations) == text


def _changes(*rows: tuple[str, float, float, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["status", "recovery_s", "samples_per_device", "rise_resolved"])


def test_recovery_in_words() -> None:
    late = ("not reached", math.nan, math.nan, True)
    early, middle = ("recovered", 10.0, 40.0, True), ("recovered", 20.0, 80.0, True)
    flat = ("no change", math.nan, math.nan, False)
    assert recovery_texts(_changes(early, middle, late, flat)) == (
        "20 s",
        "80",
        "2 recovered\n1 not reached\n1 no change",
    )
    assert recovery_texts(_changes(early, late, late))[:2] == ("not reached", "-")
    assert recovery_texts(_changes(early, ("recovered", 5.0, 20.0, False)))[0] == "5 s ~"
    assert recovery_texts(_changes(flat)) == ("no change", "-", "1 no change")
    assert recovery_texts(_changes()) == ("-", "-", "-")
