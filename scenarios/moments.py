"""Moments that lie after the end of a run, so that what they describe never happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scenarios.settings import number_text

if TYPE_CHECKING:
    from scenarios.schema import Scenario

First = tuple[str, float]
"""A field, and the first of its moments in seconds."""


def too_late(scenario: Scenario) -> Iterator[str]:
    """Tell of the fields all of whose moments lie at the end of the run or after it, as they may in one cut short."""
    end_s = scenario.duration_s
    found = (*_of_the_cloud(scenario), *_of_budgets(scenario), *_of_lives(scenario), *_of_outages(scenario))
    for field, first_s in found:
        if first_s >= end_s:
            first, end = number_text(first_s), number_text(end_s)
            yield f"{field}: {first} is not before the end of the run at {end} s, so that it never comes"


def _of_the_cloud(scenario: Scenario) -> Iterator[First]:
    crashes = scenario.cloud.crashes
    if crashes is not None and crashes.at_s:
        yield "cloud.crashes.at_s", crashes.at_s[0]


def _of_budgets(scenario: Scenario) -> Iterator[First]:
    for name, budget in scenario.budgets.items():
        yield f"budgets.{name}.starts_at_s", budget.starts_at_s


def _of_lives(scenario: Scenario) -> Iterator[First]:
    for name, group in scenario.groups.items():
        life = group.life
        if life is None:
            continue
        yield f"groups.{name}.life.joins_s", life.joins_s.from_s
        if life.leaves_s is not None:
            yield f"groups.{name}.life.leaves_s", life.leaves_s.from_s
        if life.crashes_s:
            yield f"groups.{name}.life.crashes_s", life.crashes_s[0]


def _of_outages(scenario: Scenario) -> Iterator[First]:
    described = {f"groups.{name}.link": group.link.outages for name, group in scenario.groups.items()}
    described |= {f"cells.{name}": cell.outages for name, cell in scenario.cells.items()}
    described |= {f"regions.{name}": region.outages for name, region in scenario.regions.items()}
    for place, outages in described.items():
        if outages is not None and outages.scheduled_s:
            yield f"{place}.outages.scheduled_s", outages.scheduled_s[0][0]
