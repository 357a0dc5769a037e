"""What `cema list` shows, read from the files' names and the first lines of their descriptions."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from typing import get_args

from scenarios import catalogue, loader, study_loader

ROOMS = {
    "strategies": catalogue.STRATEGIES,
    "exclusion criteria": catalogue.CRITERIA,
    "models": catalogue.MODELS,
    "data sets": catalogue.DATASETS,
    "upload codecs": catalogue.CODECS,
    "update codecs": catalogue.UPDATE_CODECS,
    "corruptions": catalogue.CORRUPTIONS,
    "queueing disciplines": catalogue.DISCIPLINES,
}


def listing() -> dict[str, list[tuple[str, str]]]:
    """Return for each title the names under it, each with a line of description."""
    scenarios = [(name, loader.describe(name).split("\n")[0]) for name in loader.names()]
    rooms = {
        title: [(name, _first_line(f"{room}.{name}")) for name in catalogue.names(room)]
        for title, room in ROOMS.items()
    }
    packaged = {"packaged models": _packaged_models(), "packaged data sets": _packaged_data()}
    studies = [(name, study_loader.describe(name).split("\n")[0]) for name in study_loader.names()]
    return {"scenarios": scenarios, "studies": studies} | rooms | packaged


def _packaged_models() -> list[tuple[str, str]]:
    from models.sources.packaged import FOLDER, Packaged  # noqa: PLC0415

    rows = []
    for name in get_args(Packaged.model_fields["packaged"].annotation):
        card = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        rows.append((name, f"{card['parameters']:,} parameters, clean accuracy {card['accuracy_clean']:.1%}"))
    return rows


def _packaged_data() -> list[tuple[str, str]]:
    from models.datasets.packaged import Packaged  # noqa: PLC0415

    return [(name, "test images") for name in get_args(Packaged.model_fields["packaged"].annotation)]


def _first_line(module: str) -> str:
    """Return the first line of a module's docstring without importing the module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n")[0]
