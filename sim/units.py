"""The units of a study, each a point with one strategy and one seed, and the runs that they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sim.run import label_of

if TYPE_CHECKING:
    from scenarios.schema import Scenario
    from scenarios.study_loader import Plan


@dataclass(eq=False)
class Run:
    """One computation; units with equal content share it.

    Attributes:
        status: waiting, running, done, failed or interrupted.
        error: one line on what went wrong.
        by_input: whether the user's input is at fault.
        simulated_s, accuracy: how far it has come, and its share of correct predictions.
        wall_s: what it took.
        stored: whether it was done before the study began.

    """

    scenario: Scenario
    content_hash: str
    folder: Path
    status: str = "waiting"
    error: str = ""
    by_input: bool = False
    simulated_s: float = 0.0
    accuracy: float = float("nan")
    wall_s: float = 0.0
    stored: bool = False


@dataclass(eq=False)
class Unit:
    """One point with one strategy and one seed.

    Attributes:
        labels: the point, by column.
        scenario: with this strategy alone.
        match: the unit whose budget is taken over.
        run: None until that unit is done.

    """

    labels: dict[str, str]
    strategy: str
    seed: int
    scenario: Scenario
    match: Unit | None = None
    run: Run | None = None
    unmatched: str = ""
    unmatched_by_input: bool = False

    @property
    def status(self) -> str:
        """Return waiting, running, done, failed or interrupted."""
        if self.run is not None:
            return self.run.status
        return "failed" if self.unmatched else "waiting"

    @property
    def error(self) -> str:
        """Return what went wrong, in one line."""
        return self.unmatched if self.run is None else self.run.error

    @property
    def by_input(self) -> bool:
        """Return whether it failed by the user's input."""
        return self.unmatched_by_input if self.run is None else self.run.by_input

    @property
    def point(self) -> str:
        """Return the point on one line."""
        return ", ".join(f"{column}={value}" for column, value in self.labels.items())

    @property
    def title(self) -> str:
        """Return strategy, point and seed on one line."""
        return ", ".join(part for part in (self.strategy, self.point, f"seed {self.seed}") if part)


def units_of(plan: Plan) -> list[Unit]:
    """Return a study's units, in its order; those with a budget to take over know from whom."""
    found: dict[tuple[int, str, int], Unit] = {}
    for number, point in enumerate(plan.points):
        for strategy in point.scenario.strategy:
            match = getattr(strategy, "match", None) if getattr(strategy, "share", None) is None else None
            for seed in plan.seeds:
                found[number, label_of(strategy), seed] = Unit(
                    point.labels,
                    label_of(strategy),
                    seed,
                    point.scenario.model_copy(update={"strategy": (strategy,), "seed": seed}),
                    None if match is None else found[number, match, seed],
                )
    return list(found.values())
