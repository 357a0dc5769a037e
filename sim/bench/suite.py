"""The benchmarks by name, one after another, and the file that holds what they found."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from models.errors import InputError

if TYPE_CHECKING:
    from sim.bench.result import Figure, Result

NAMES = ("overhead", "fusion", "reference-loop", "network", "growth", "memory")
"""All benchmarks, in the order in which they run."""

Report = Callable[[str, str], None]
"""Called with a benchmark's name and a few words on what it is at."""


class Benchmark(Protocol):
    """A module of this package.

    Attributes:
        NAME: as on the command line.
        SUMMARY: what it measures, in one sentence.

    """

    NAME: str
    SUMMARY: str

    def measure(self, rounds: int, report: Callable[[str], None], device: str = "auto") -> Result:
        """Measure in so many rounds, computing models on `auto`, `cpu` or `cuda`."""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the benchmarks asked for in the suite's order, all where none is named; InputError for unknown ones."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise InputError(f"no such benchmark: {', '.join(unknown)}; allowed: {', '.join(NAMES)}")
    return tuple(name for name in NAMES if not names or name in names)


def load(name: str) -> Benchmark:
    """Import a benchmark."""
    return cast("Benchmark", importlib.import_module(f"{__package__}.{name.replace('-', '_')}"))


def measured(names: Sequence[str], rounds: int, device: str, report: Report) -> Iterator[Result]:
    """Run benchmarks one after another and yield what each found."""
    for name in names:
        report(name, "starting")
        yield load(name).measure(rounds, lambda text, name=name: report(name, text), device)  # type: ignore[misc]


def write(path: Path, environment: dict[str, Any], rounds: int, results: Sequence[Result]) -> None:
    """Write all figures with every round as JSON, creating the folder; InputError where that cannot be."""
    content = {
        "environment": environment,
        "rounds": rounds,
        "benchmarks": {
            result.benchmark: {
                "summary": load(result.benchmark).SUMMARY,
                "limits": result.limits,
                "figures": [_plain(figure) for figure in result.figures],
            }
            for result in results
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}; choose another --out") from error


def _plain(figure: Figure) -> dict[str, Any]:
    return asdict(figure) | {"met": figure.met}
