"""Numbers as people read them: decimal bytes, durations and shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
NOT_KNOWN = "-"


def bytes_text(size: float | None) -> str:
    """Write a number of bytes in decimal units, three significant digits: 0 B, 950 B, 1.23 MB."""
    if size is None or math.isnan(size):
        return NOT_KNOWN
    value, unit = float(size), 0
    while abs(float(f"{value:.3g}")) >= 1000 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{_three_digits(value)} {_BYTE_UNITS[unit]}"


def seconds_text(seconds: float | None) -> str:
    """Write a duration, three significant digits, in ms below one second, else in s, min, h or d."""
    if seconds is None or math.isnan(seconds):
        return NOT_KNOWN
    if seconds == 0:
        return "0 s"
    for limit, size, unit in ((1, 1e-3, "ms"), (120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if float(f"{seconds:.3g}") < limit:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 86_400)} d"


def joules_text(joules: float | None) -> str:
    """Write an energy, three significant digits, in mJ below one joule, else in J, kJ or MJ."""
    if joules is None or math.isnan(joules):
        return NOT_KNOWN
    if joules == 0:
        return "0 J"
    for limit, size, unit in ((1, 1e-3, "mJ"), (1e3, 1, "J"), (1e6, 1e3, "kJ")):
        if float(f"{joules:.3g}") < limit:
            return f"{_three_digits(joules / size)} {unit}"
    return f"{_three_digits(joules / 1e6)} MJ"


def percent_text(share: float | None, digits: int = 1) -> str:
    """Write a share between 0 and 1 as a percentage."""
    if share is None or math.isnan(share):
        return NOT_KNOWN
    return f"{100 * share:.{digits}f} %"


def listed(names: Sequence[str], most: int = 3, others: str = "more") -> str:
    """Name the first ones, at most so many, and count the others: a, b, c and 2 more."""
    rest = f" and {len(names) - most} {others}" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def shift_name(corruption: str, severity: float) -> str:
    """Name a shift as the summary does: `gaussian_noise-5`; `none` and `mixed` have no severity."""
    return f"{corruption}-{int(severity)}" if severity else corruption


def shift_text(corruption: str, severity: float) -> str:
    """Name a shift for people: `gaussian noise 5`, `clean` or `mixed`."""
    words = "clean" if corruption == "none" else corruption.replace("_", " ")
    return f"{words} {int(severity)}" if severity else words


def _three_digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
