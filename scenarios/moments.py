"""Moments that lie after the end of a run, so that what they describe never happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.fleet import Group
    from scenarios.references import Mismatch


def too_late(groups: Mapping[str, Group], scenario: Mapping[str, Any]) -> list[Mismatch]:
    """Return the fields, each with what is wrong, all of whose moments lie at the end of the run or after it.

    `scenario` holds the fields that are free of other mistakes. Of several moments the later ones may lie beyond the
    end: so they do in a run that is cut short.
    """
    duration_s = scenario.get("duration_s")
    if duration_s is None:
        return []
    firsts = [*_of_the_cloud(scenario), *_of_budgets(scenario), *_of_lives(groups)]
    return [
        (path, f"must be before the end of the run at {duration_s:.15g} s, unlike {first_s:.15g}")
        for path, first_s in firsts
        if first_s >= duration_s
    ]


First = tuple[tuple[str, ...], float]
"""A field, and the first of its moments."""


def _of_the_cloud(scenario: Mapping[str, Any]) -> Iterator[First]:
    cloud = scenario.get("cloud")
    if cloud is not None and cloud.crashes is not None and cloud.crashes.at_s:
        yield ("cloud", "crashes", "at_s"), cloud.crashes.at_s[0]


def _of_budgets(scenario: Mapping[str, Any]) -> Iterator[First]:
    for name, budget in scenario.get("budgets", {}).items():
        yield ("budgets", name, "starts_at_s"), budget.starts_at_s


def _of_lives(groups: Mapping[str, Group]) -> Iterator[First]:
    for name, group in groups.items():
        life = group.life
        if life is None:
            continue
        yield ("groups", name, "life", "joins_s"), life.joins_s.from_s
        if life.leaves_s is not None:
            yield ("groups", name, "life", "leaves_s"), life.leaves_s.from_s
        if life.crashes_s:
            yield ("groups", name, "life", "crashes_s"), life.crashes_s[0]
