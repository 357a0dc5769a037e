"""What a study file may say: one scenario many times over, along axes, with several strategies and seeds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator

from scenarios.settings import Name, Settings
from scenarios.yaml_reader import Path

ABLATION = "ablation"
"""Stands in a list of strategies for those of the standard ablation."""

COLUMNS = ("run", "folder", "strategy", "seed", "status", "error")
"""Columns of a study's table of runs; the axes' columns follow."""


def text(value: Any) -> str:
    """Return a field's value on one line, as it labels a point; infinity is `inf`."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)).strip()
    return str(value) if isinstance(value, float) else json.dumps(value)


def _is_label(label: str) -> str:
    if not label or not label.isprintable() or label != label.strip():
        raise ValueError("must be printable text that neither begins nor ends with a space")
    return label


def _once(items: Sequence[Any]) -> Sequence[Any]:
    seen = [text(item) for item in items]
    twice = next((item for item in seen if seen.count(item) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice")
    return items


Label = Annotated[str, AfterValidator(_is_label), Field(max_length=80)]
Values = Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]


class Assignment(NamedTuple):
    """A field of the scenario, the value that it is given, and where both stand in the settings."""

    field: str
    value: Any
    place: Path


class Entry(NamedTuple):
    """One position on an axis: the text in each of its columns, and the fields that it sets."""

    labels: dict[str, str]
    assignments: list[Assignment]


class ListAxis(Settings):
    """Labelled points, each of which sets any number of fields."""

    name: Name
    """The axis' column in tables."""
    list: Annotated[dict[Label, dict[str, Any]], Field(min_length=1)]
    """The points by label; each maps paths of fields, as in `--set`, to values."""

    def entries(self) -> Iterator[Entry]:
        """Yield the points in the order of the file."""
        for label, fields in self.list.items():
            yield Entry(
                {self.name: label},
                [Assignment(field, value, ("list", label, field)) for field, value in fields.items()],
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the axis' columns in tables."""
        return (self.name,)


class GridAxis(Settings):
    """Every combination of the values of some fields."""

    grid: Annotated[
        dict[str, Annotated[tuple[Any, ...], Field(min_length=1, strict=False), AfterValidator(_once)]],
        Field(min_length=1),
    ]
    """A list of values for the path of each field; the last one changes fastest."""

    def entries(self) -> Iterator[Entry]:
        """Yield the combinations."""
        choices = [
            [Assignment(field, value, ("grid", field, index)) for index, value in enumerate(values)]
            for field, values in self.grid.items()
        ]
        for chosen in itertools.product(*choices):
            yield _entry(chosen)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the axis' columns in tables."""
        return tuple(self.grid)


class ZipAxis(Settings):
    """Several fields that change together."""

    zip: Annotated[dict[str, Values], Field(min_length=1)]
    """Lists of equal length for the paths of fields."""

    @field_validator("zip")
    @classmethod
    def _are_parallel(cls, lists: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        lengths = {field: len(values) for field, values in lists.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{length} ({field})" for field, length in lengths.items())
            raise ValueError(f"the lists must be of equal length, not {counts}")
        _once([list(values) for values in zip(*lists.values(), strict=True)])
        return lists

    def entries(self) -> Iterator[Entry]:
        """Yield the first values of all fields, then the second ones, and so on."""
        columns = [
            [Assignment(field, value, ("zip", field, index)) for index, value in enumerate(values)]
            for field, values in self.zip.items()
        ]
        for chosen in zip(*columns, strict=True):
            yield _entry(chosen)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the axis' columns in tables."""
        return tuple(self.zip)


def _entry(assignments: Sequence[Assignment]) -> Entry:
    return Entry({each.field: text(each.value) for each in assignments}, list(assignments))


_KINDS = ("list", "grid", "zip")


def _kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((kind for kind in _KINDS if kind in keys), None)


Axis = Annotated[
    Annotated[ListAxis, Tag("list")] | Annotated[GridAxis, Tag("grid")] | Annotated[ZipAxis, Tag("zip")],
    Discriminator(
        _kind,
        custom_error_type="unknown_choice",
        custom_error_message=f"must be a mapping with one of the keys: {', '.join(_KINDS)}",
    ),
]


def _listed(value: object) -> object:
    return value if value is None or isinstance(value, list | tuple) else [value]


class Study(Settings):
    """A scenario that is run at every combination of the axes' points, the strategies and the seeds."""

    model_config = ConfigDict(ser_json_inf_nan="constants")  # values of any type may be infinite

    name: Name
    description: str = ""
    base: str
    """A packaged scenario's name, or a scenario file relative to the study's folder."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Fields that every run replaces, by path, as in `--set`."""
    strategies: (
        Annotated[tuple[Any, ...], Field(min_length=1, strict=False), BeforeValidator(_listed)] | None
    ) = None
    """What takes the place of the scenario's strategies; `ablation` stands for those of the standard ablation."""
    seeds: (
        Annotated[
            tuple[Annotated[int, Field(ge=0)], ...],
            Field(min_length=1, strict=False),
            AfterValidator(_once),
        ]
        | None
    ) = None
    """One run for each; by default the scenario's own seed."""
    axes: Annotated[tuple[Axis, ...], Field(strict=False)] = ()
    """What else changes from run to run; each axis is combined with every other one."""

    @field_validator("strategies")
    @classmethod
    def _has_one_ablation(cls, strategies: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if strategies is not None and strategies.count(ABLATION) > 1:
            raise ValueError(f"`{ABLATION}` is given twice")
        return strategies

    @field_validator("axes")
    @classmethod
    def _have_columns_of_their_own(cls, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        columns = list(COLUMNS)
        for axis in axes:
            taken = [column for column in axis.columns if column in columns]
            if taken:
                raise ValueError(f"{taken[0]!r} is the name of another column; choose another name")
            columns += axis.columns
        return axes

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of all axes."""
        return tuple(column for axis in self.axes for column in axis.columns)
