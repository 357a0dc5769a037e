"""What is allowed in a scenario and does less than it seems to, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scenarios.moments import too_late

if TYPE_CHECKING:
    from scenarios.schema import Scenario


def remarks(scenario: Scenario) -> list[str]:
    """Return what there is to say of a scenario that can be run."""
    return [*_idle_accelerators(scenario), *too_late(scenario)]


def _idle_accelerators(scenario: Scenario) -> Iterator[str]:
    """Tell of the strategies that cannot keep all accelerators busy: steps of one student never overlap."""
    scaling = scenario.cloud.autoscaling
    field = "accelerators" if scaling is None else "autoscaling.most_accelerators"
    most = scenario.cloud.accelerators if scaling is None else scaling.most_accelerators
    students = {
        "fleet": 1,
        "group": len(scenario.groups),
        "device": sum(group.count for group in scenario.groups.values()),
    }
    for strategy in scenario.strategy:
        scope = getattr(strategy, "student_scope", None)  # those whose cloud adapts edge models have one
        if scope is not None and most > students[scope]:
            many = f"{students[scope]} students" if students[scope] > 1 else "one student"
            yield (
                f"cloud.{field}: {most}: strategy {strategy.label or strategy.name!r} has {many} "
                f"(`student_scope: {scope}`), and steps of one student never overlap, so that it keeps at most "
                f"{students[scope]} busy"
            )
