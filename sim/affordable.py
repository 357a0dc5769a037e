"""Whether budgets have room for messages that must not be given up and whose size is known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.budget import Budget, limits_of
from sim.clock import Clock
from sim.network import direction_of

if TYPE_CHECKING:
    from scenarios.schema import Scenario


def unaffordable(scenario: Scenario, statistics_bytes: Callable[[], int]) -> list[str]:
    """Return in a sentence each budget's field that no message of statistics of some strategy fits.

    `statistics_bytes` computes the payload of one, 0 for a model that has none, and is asked only where some strategy
    has devices with a budget send such messages.
    """
    problems: dict[str, str] = {}
    for strategy in scenario.strategy:
        for name in strategy.groups_sending_statistics(tuple(scenario.groups)):
            group = scenario.groups[name]
            if group.budget is None:
                continue
            settings = scenario.budgets[group.budget]
            budget = Budget(Clock(), settings, limits_of(settings), group.budget)
            payload = statistics_bytes()
            size = direction_of(group.link, "up").message_bytes(payload)
            for problem in budget.too_small_for(size, "statistics") if payload else ():
                problems.setdefault(problem, f"strategy {strategy.label or strategy.name!r}, group {name!r}")
    return [f"{problem} ({where})" for problem, where in problems.items()]
