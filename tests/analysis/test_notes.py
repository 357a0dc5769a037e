from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.notes import notes


def _noted(folder: Path, **entries: Any) -> list[str]:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return notes(folder)


def test_there_is_nothing_to_note_on_a_run_in_which_all_went_well(both: Path) -> None:
    assert notes(both) == []


def test_damaged_images_are_named(cema: Path) -> None:
    assert _noted(cema, damaged={f"{number}.png": "cut short" for number in range(5)}) == [
        "cema: 5 damaged images left out: 0.png (cut short), 1.png (cut short), 2.png (cut short)"
        " and 2 more in manifest.json"
    ]


def test_samples_that_never_fit_a_budget_are_told(cema: Path) -> None:
    assert _noted(cema, hopeless={"daily": {"samples": 7, "least_bytes": 648}}) == [
        "cema: budget 'daily' never has room for 7 samples, the smallest of which takes 648 bytes with its headers: "
        "all were withheld"
    ]
