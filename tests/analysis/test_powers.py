from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.powers import missing_powers

KNOWN = {"compute": {"busy_w": 5.0, "idle_w": 0.0}, "link": {"transmit_w": 1.0, "receive_w": 1.0}}


def _missing(write: Callable[..., Path], folder: Path, **groups: Any) -> dict[str, list[str]]:
    return missing_powers(write(folder, "cema", {}, scenario={"strategy": [], "groups": groups}))


def test_nothing_is_missing_where_all_is_known_or_nothing_is(
    writer: Callable[..., Path], tmp_path: Path
) -> None:
    assert _missing(writer, tmp_path / "all", a=KNOWN) == {}
    assert _missing(writer, tmp_path / "none", a={"compute": {"busy_w": None}, "link": {}}) == {}


def test_each_power_is_told_with_the_groups_that_lack_it(writer: Callable[..., Path], tmp_path: Path) -> None:
    radio = KNOWN | {"link": {"transmit_w": None, "receive_w": 1.0}}
    board = radio | {"compute": {"busy_w": 5.0, "idle_w": None}}
    assert _missing(writer, tmp_path / "run", a=KNOWN, b=radio, c=board) == {
        "compute.idle_w": ["c"],
        "link.transmit_w": ["b", "c"],
    }


def test_a_folder_without_a_scenario_tells_nothing(writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = writer(tmp_path / "run", "cema", {})
    (folder / "scenario.yaml").unlink()
    assert missing_powers(folder) == {}
