"""What a scenario file may say: the fleet, its world, its links, the cloud and the strategies to compare."""

from __future__ import annotations

from itertools import accumulate, cycle, islice, takewhile
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from scenarios import catalogue, references
from scenarios.budgets import Budget
from scenarios.cloud import Cloud
from scenarios.fleet import Group
from scenarios.network import Cell, Region
from scenarios.settings import Duration, Name, Settings, increasing, number_text

if TYPE_CHECKING:
    from models.datasets import Base as DataSetSource
    from models.sources import Base as ModelSource
    from models.strategies import Base as StrategySettings
else:
    DataSetSource = catalogue.tagged_by_key(catalogue.DATASETS)
    ModelSource = catalogue.tagged_by_key(catalogue.MODELS)
    StrategySettings = catalogue.tagged_by_field(catalogue.STRATEGIES, "name")


class Models(Settings):
    """The two models of the method; both must have the data set's classes."""

    edge: ModelSource
    """The weak model that every device runs."""
    foundation: ModelSource | None = None
    """The strong model in the cloud; only strategies that adapt in the cloud need it."""


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _changes_s(group: Group, duration_s: float) -> tuple[float, ...]:
    """Return when a group's listed shifts change before `duration_s`, in whole nanoseconds as the clock counts."""
    rounds = group.rounds or 1
    changes = rounds * len(group.schedule) - (group.afterwards == "last_shift")
    shifts = islice(cycle(group.schedule), None if group.repeat_schedule else changes)
    ends = accumulate(round((shift.duration_s or 0) * 10**9) for shift in shifts)
    return tuple(takewhile(lambda end_s: end_s < duration_s, (end / 10**9 for end in ends)))


def _at_shifts(value: object, info: ValidationInfo) -> object:
    """Put the moments at which all groups' shifts change in the place of the word `at_shifts`."""
    if isinstance(value, list | tuple):
        return value
    if value != "at_shifts":
        raise ValueError("must be a list of times, or at_shifts")
    groups, duration_s = info.data.get("groups"), info.data.get("duration_s")
    if groups is None or duration_s is None:
        return ()  # they have mistakes of their own
    instead = "list the times of the resets instead"
    for name, group in groups.items():
        if (group.schedule_order, group.schedule_start) != ("listed", "together"):
            raise ValueError(f"the devices of {name!r} change at moments of their own; {instead}")
    changes = {name: _changes_s(group, duration_s) for name, group in groups.items()}
    first = next(iter(changes))
    for name, moments in changes.items():
        if moments != changes[first]:
            raise ValueError(f"the shifts of {first!r} and {name!r} change at different moments; {instead}")
    return changes[first]


def _without_budget(labels: list[str], strategies: tuple[StrategySettings, ...]) -> list[str]:
    """Say which strategies take over the budget of one that does not run before them."""
    problems = []
    for place, (label, strategy) in enumerate(zip(labels, strategies, strict=True)):
        match = getattr(strategy, "match", None)  # selections under a budget alone have one
        if match is not None and getattr(strategy, "share", None) is None and match not in labels[:place]:
            before = ", ".join(labels[:place]) or "none"
            problems.append(f"{label!r} matches {match!r}, which must stand before it; before it: {before}")
    return problems


class Scenario(Settings):
    """A fleet, its world and the strategies to run on it."""

    name: Name
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seeds every random stream of the run."""
    duration_s: Annotated[Duration, Field(ge=1e-6)]
    """Simulated time at which the run ends."""
    data: DataSetSource
    models: Models
    strategy: Annotated[
        tuple[StrategySettings, ...],
        Field(min_length=1, strict=False),
        BeforeValidator(_listed, json_schema_input_type=tuple[StrategySettings, ...] | StrategySettings),
    ]
    """One strategy, or a list that is run one after another on the same images at the same moments."""
    cloud: Cloud
    cells: dict[Name, Cell] = Field(default_factory=dict)
    """What several links share, by name; a link says in `cell` which it is a part of."""
    regions: dict[Name, Region] = Field(default_factory=dict)
    """Parts of the cloud that can be down, by name; a link says in `region` through which it goes."""
    budgets: dict[Name, Budget] = Field(default_factory=dict)
    """What devices may upload, by name; a group says in `budget` which holds for its devices."""
    groups: Annotated[dict[Name, Group], Field(min_length=1)]
    resets_s: Annotated[
        tuple[Annotated[Duration, Field(gt=0)], ...],
        Field(strict=False),
        BeforeValidator(_at_shifts),
        WithJsonSchema(
            {"anyOf": [{"const": "at_shifts"}, {"type": "array", "items": {"type": "number", "minimum": 0}}]}
        ),
    ] = ()
    """Moments at which all devices and the cloud start anew from the deployed models, or `at_shifts`: whenever the
    shift changes, where it does so at the same moments in all groups."""
    images_per_pass: Annotated[int, Field(ge=1)] | None = None
    """How the run is computed: most images for which several devices share a forward pass; 1 computes every batch
    alone. Results agree but for rounding. By default it is the number that is fastest on the machine, which is measured
    once; the manifest records it, and given here it makes another machine fuse alike."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of convolutions and matrix products. bfloat16 (autocast) is faster on processors that are made for it, but rounds
    to three digits: results differ."""
    compiled: bool = False
    """Whether passes by running statistics are compiled (`torch.compile`). Results agree but for rounding, and the run
    begins up to a minute later. On a CPU it needs a C++ compiler."""

    @field_validator("strategy")
    @classmethod
    def _have_names_and_models(
        cls, strategies: tuple[StrategySettings, ...], info: ValidationInfo
    ) -> tuple[StrategySettings, ...]:
        labels = [strategy.label or strategy.name for strategy in strategies]
        twice = {label for label in labels if labels.count(label) > 1}
        problems = [f"two are called {label!r}; give each its own `label`" for label in sorted(twice)]
        problems += [
            f"{label!r} cannot name a folder beside the results' files; leave out the ending"
            for label in labels
            if label.endswith((".yaml", ".json", ".parquet", ".csv", ".png"))
        ]
        models = info.data.get("models")
        if models is not None and models.foundation is None:
            needy = {label for label, each in zip(labels, strategies, strict=True) if each.needs_foundation}
            problems += [
                f"{label!r} needs a foundation model; add `models.foundation`" for label in sorted(needy)
            ]
        problems += _without_budget(labels, strategies)
        if problems:
            raise ValueError("; ".join(problems))
        return strategies

    @field_validator("groups")
    @classmethod
    def _fit_the_rest(cls, groups: dict[str, Group], info: ValidationInfo) -> dict[str, Group]:
        references.check(groups, info.data)
        return groups

    @field_validator("resets_s")
    @classmethod
    def _lie_within_the_run(cls, resets_s: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        increasing(resets_s)
        duration_s = info.data.get("duration_s")
        if resets_s and duration_s is not None and resets_s[-1] >= duration_s:
            raise ValueError(
                f"must lie before the end of the run at {number_text(duration_s)} s, unlike "
                f"{number_text(resets_s[-1])}"
            )
        return resets_s
