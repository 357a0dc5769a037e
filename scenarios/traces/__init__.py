"""Packaged traces of bandwidth and latency, and how a scenario names a trace: its own file, or a packaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo
from pydantic_core import PydanticCustomError

from scenarios.settings import existing_file

FOLDER = Path(__file__).resolve().parent

DESCRIPTIONS = {
    "latency-lte.csv": "1000 one-way latencies of an LTE network, in ms: median 45, with a tail of handovers",
    "lte-drive.up": "a minute of LTE uplink in a moving car, Mahimahi's format: 1.3 Mbit/s, with gaps at handovers",
    "rush-hour.csv": "a day of a busy mobile network from midnight on: 20 Mbit/s at night, 6 in the rush hours",
    "wifi-office.csv": "ten minutes of office Wi-Fi: 45 Mbit/s, falling below 10 where others are busy",
}
"""The packaged traces by name, as `cema list` shows them. All are synthetic, made by `scenarios.traces.generate`."""


def _trace(path: Path, info: ValidationInfo) -> Path:
    try:
        return existing_file(path, info)
    except PydanticCustomError as error:
        if str(path) in DESCRIPTIONS:
            return FOLDER / path
        message = f"{error.message()}, nor a packaged trace, one of: {', '.join(DESCRIPTIONS)}"
        raise ValueError(message) from None


def _named(path: Path) -> str:
    return path.name if path.parent == FOLDER else str(path)


TraceFile = Annotated[
    Path,
    Field(strict=False),
    AfterValidator(_trace),
    PlainSerializer(_named, return_type=str, when_used="json"),
]
"""A file named relative to the scenario's folder or, where there is none, a packaged trace; an error otherwise.

Written to YAML, a packaged trace keeps its name, so that the scenario can be read on another machine.
"""
