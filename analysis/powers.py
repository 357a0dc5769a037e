"""Which powers of a fleet are known, and so whether its energy is."""

from __future__ import annotations

from typing import Any

from analysis.reading import Source, folders_of, read_scenario
from sim.results import SCENARIO

POWERS = (("compute", "busy_w"), ("compute", "idle_w"), ("link", "transmit_w"), ("link", "receive_w"))
"""Where a group's settings have the powers of its devices."""


def missing_powers(source: Source) -> dict[str, list[str]]:
    """Return by power, as `link.transmit_w`, the groups that do not give it; nothing where no group gives any power."""
    folder = next(iter(folders_of(source).values()))
    if not (folder / SCENARIO).is_file():
        return {}
    groups: dict[str, Any] = read_scenario(folder).get("groups", {})
    known = {
        (name, part, power): (group.get(part) or {}).get(power) is not None
        for name, group in groups.items()
        for part, power in POWERS
    }
    if not any(known.values()):
        return {}
    return {
        f"{part}.{power}": lacking
        for part, power in POWERS
        if (lacking := [name for name in groups if not known[name, part, power]])
    }
