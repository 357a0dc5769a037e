"""What `cema list` shows, read from the files' names and the first lines of their descriptions."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from scenarios import catalogue, loader, profile, sentences, study_loader, traces
from scenarios.cloud import Cloud
from scenarios.fleet import Compute
from scenarios.network import Link

if TYPE_CHECKING:
    from rich.table import Table

ROOMS = {
    "strategies": catalogue.STRATEGIES,
    "exclusion criteria": catalogue.CRITERIA,
    "models": catalogue.MODELS,
    "data sets": catalogue.DATASETS,
    "upload codecs": catalogue.CODECS,
    "update codecs": catalogue.UPDATE_CODECS,
    "upload ranks": catalogue.RANKS,
    "corruptions": catalogue.CORRUPTIONS,
    "bandwidth models": catalogue.BANDWIDTHS,
    "latency distributions": catalogue.LATENCIES,
    "queueing disciplines": catalogue.DISCIPLINES,
}
PROFILES: dict[str, tuple[type[profile.Profiled], tuple[str, ...]]] = {
    "devices": (Compute, ("gflops", "memory_mb", "idle_w", "busy_w")),
    "links": (Link, ("uplink_mbps", "downlink_mbps", "latency_ms", "transmit_w", "receive_w")),
    "accelerators": (Cloud, ("gflops",)),
}
"""The settings that profiles of each kind fill in, and the fields of which their list shows the figures."""

Rows = list[tuple[str, ...]]


class TitleError(ValueError):
    """There is nothing under this title."""


def listing() -> dict[str, Rows]:
    """Return for each title the names under it, each with a line of description; profiles with their figures too."""
    shown: dict[str, Rows] = {
        "scenarios": [(name, loader.describe(name).split("\n")[0]) for name in loader.names()],
        "studies": [(name, study_loader.describe(name).split("\n")[0]) for name in study_loader.names()],
    }
    shown |= {
        title: [(name, _first_line(f"{room}.{name}")) for name in catalogue.names(room)]
        for title, room in ROOMS.items()
    }
    shown |= {"traces": list(traces.DESCRIPTIONS.items())}
    shown |= {"packaged models": _packaged_models(), "packaged data sets": _packaged_data()}
    return shown | {kind: _profiles(kind) for kind in PROFILES}


def tables(title: str | None = None) -> Iterator[Table]:
    """Yield what is under a title, or under each, as a table; TitleError where there is no such title."""
    from rich.table import Table  # noqa: PLC0415

    shown = listing()
    if title is not None and title not in shown:
        near = sentences.suggestion(title, shown)
        raise TitleError(f"{title}: {near}must be one of: {', '.join(shown)}")
    for each in shown if title is None else [title]:
        table = Table(title=each, title_justify="left", show_header=False, box=None, pad_edge=False)
        if each in PROFILES:
            table.show_header = True
            table.add_column(no_wrap=True)
            table.add_column()
            for field in PROFILES[each][1]:
                table.add_column("\n".join(field.rsplit("_", 1)), justify="right", no_wrap=True)
        for name, *rest in shown[each]:
            table.add_row(f"  {name}", *rest)
        yield table


def _profiles(kind: str) -> Rows:
    """Return name, description and the figures that are known of each packaged profile."""
    settings, fields = PROFILES[kind]
    found = {name: profile.packaged(settings, name) for name in profile.names(kind)}
    return [
        (name, each.description, *(_figure(each, field) for field in fields)) for name, each in found.items()
    ]


def _figure(each: profile.Profile, field: str) -> str:
    return str(each.figures[field].value) if field in each.figures else "-"


def _packaged_models() -> Rows:
    from models.sources.packaged import FOLDER, Packaged  # noqa: PLC0415

    rows: Rows = []
    for name in get_args(Packaged.model_fields["packaged"].annotation):
        card = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        rows.append((name, f"{card['parameters']:,} parameters, clean accuracy {card['accuracy_clean']:.1%}"))
    return rows


def _packaged_data() -> Rows:
    from models.datasets.packaged import Packaged  # noqa: PLC0415

    return [(name, "test images") for name in get_args(Packaged.model_fields["packaged"].annotation)]


def _first_line(module: str) -> str:
    """Return the first line of a module's docstring without importing the module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n")[0]
