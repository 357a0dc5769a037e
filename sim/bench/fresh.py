"""Resident memory, and processes that begin with none of this one's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

STATUS = Path("/proc/self/status")


def in_fresh_process(function: Callable[..., T], *arguments: object) -> T:
    """Call a module's function in a new interpreter, and return what it returns or raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_bytes() -> int:
    """Return the largest resident memory that this process has had.

    Linux tells it for this program alone; what `getrusage` says there begins with the peak of the process that started
    this one, and serves only where there is no better.
    """
    if STATUS.exists():
        return _from_status("VmHWM")
    import resource  # noqa: PLC0415 - not on every platform

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """Return the resident memory of this process; its peak so far where the system does not tell."""
    return _from_status("VmRSS") if STATUS.exists() else peak_bytes()


def _from_status(field: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return int(found[field].split()[0]) * 1024  # "123456 kB"
