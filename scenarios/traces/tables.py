"""Tables of numbers in CSV files, with messages that name file, line and value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from scenarios.settings import FASTEST_MBPS, LONGEST_S, number_text

MOST = {"time_s": LONGEST_S, "mbps": FASTEST_MBPS, "latency_ms": 1000 * LONGEST_S}
"""What a number may be at most, by its column."""

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def lines(path: Path) -> list[str]:
    """Return the lines of a text file; ValueError where it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text") from error


def rows(path: Path, header: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield each row of non-negative numbers below a header, as `time_s,mbps`, with its place `FILE:LINE`.

    Blank lines are passed over. Raises ValueError where the header or a number is not as it must be, or no row follows.
    """
    names = header.split(",")
    empty = True
    found = enumerate(lines(path), 1)
    _, first = next(found, (1, ""))
    if [cell.strip() for cell in first.split(",")] != names:
        raise ValueError(f"{path}:1: {first[:60]!r} must be the header {header}")
    for number, line in found:
        if not line.strip():
            continue
        place = f"{path}:{number}"
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(names):
            raise ValueError(f"{place}: {line[:60]!r} must be {len(names)} value(s): {header}")
        empty = False
        yield place, tuple(_number(place, name, cell) for name, cell in zip(names, cells, strict=True))
    if empty:
        raise ValueError(f"{path}: holds a header alone; at least one line must follow")


def _number(place: str, name: str, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    if math.isinf(value):
        raise ValueError(f"{place}: {name} {text[:60]!r} must be a finite number of at least 0")
    if value > MOST.get(name, value):
        raise ValueError(f"{place}: {name} {text[:60]!r} must be at most {number_text(MOST[name])}")
    return value
