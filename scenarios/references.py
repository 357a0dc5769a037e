"""What groups name that is described elsewhere in a scenario: cells, regions and budgets.

And what those must agree on that name the same cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from scenarios.sentences import suggestion

if TYPE_CHECKING:
    from scenarios.fleet import Group
    from scenarios.network import Cell

ERROR = "references"
"""The type of the error that holds mismatches; its context has them as pairs of a path and a text, in `mismatches`."""

Mismatch = tuple[tuple[str, ...], str]
"""A place in a scenario, and what is wrong there."""

NAMED_IN = {"cells": ("link", "cell"), "regions": ("link", "region"), "budgets": ("budget",)}
"""By the field of the scenario that describes them, where a group names one."""


DONE_TOGETHER = ("on_outage", "retry", "superseded")
"""Fields of a link that say what becomes of a version on its way: one thing where several devices get it together."""


def check(groups: Mapping[str, Group], scenario: Mapping[str, Any]) -> None:
    """Raise an error with everything that is named and not described, or described and not named, or not agreed on.

    `scenario` holds the fields that are free of other mistakes.
    """
    found = [
        mismatch
        for field, path in NAMED_IN.items()
        if field in scenario
        for mismatch in _mismatches(groups, field, path, scenario[field])
    ]
    found += _disagreements(groups, scenario.get("cells", {}))
    if found:
        text = "; ".join(f"{'.'.join(path)}: {why}" for path, why in found)
        raise PydanticCustomError(ERROR, "{text}", {"text": text, "mismatches": found})


def _mismatches(
    groups: Mapping[str, Group], field: str, path: tuple[str, ...], described: Mapping[str, Any]
) -> list[Mismatch]:
    """Return paths and texts: of names that nothing has, or else of what has a name that nobody uses."""
    named: dict[str, str | None] = {name: _at(group, path) for name, group in groups.items()}
    allowed = ", ".join(described) or f"none; describe it in `{field}`"
    unknown: list[Mismatch] = [
        (
            ("groups", group, *path),
            f"no such {path[-1]} {name!r}; {suggestion(name, described)}{field}: {allowed}",
        )
        for group, name in named.items()
        if name is not None and name not in described
    ]
    where = f"`{'.'.join(path)}`"
    unused: list[Mismatch] = [
        ((field, name), f"no group names it; name it in a group's {where}, or remove it from `{field}`")
        for name in described
        if name not in named.values()
    ]
    return unknown or unused


def _disagreements(groups: Mapping[str, Group], cells: Mapping[str, Cell]) -> list[Mismatch]:
    """Return paths and texts of where a group differs from the first one of a cell that gets versions together."""
    found: list[Mismatch] = []
    for cell, settings in cells.items():
        if settings.updates != "multicast":
            continue
        links = {name: group.link for name, group in groups.items() if group.link.cell == cell}
        for field in DONE_TOGETHER:
            values = {name: getattr(link, field) for name, link in links.items()}
            why = f"since the devices of cell {cell!r} get versions together (multicast)"
            found += [
                (("groups", name, "link", field), f"must be that of {next(iter(values))!r}, {why}")
                for name, value in values.items()
                if value != next(iter(values.values()))
            ]
    return found


def _at(group: Group, path: tuple[str, ...]) -> Any:
    value: Any = group
    for field in path:
        value = getattr(value, field)
    return value
