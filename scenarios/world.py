"""What a scenario may say about a device's world: the shifts that its images undergo, and when and how images come."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from scenarios import catalogue
from scenarios.settings import LONGEST_S, Duration, Settings


def _known_corruption(name: str) -> str:
    allowed = ("none", *catalogue.names(catalogue.CORRUPTIONS))
    if name not in allowed:
        raise ValueError(f"must be one of: {', '.join(allowed)}")
    return name


Severity = Annotated[int, Field(ge=0, le=5)]


def _fitting(severity: int, corruption: str | None) -> int:
    """Return a severity that goes with a corruption (None: not known); ValueError otherwise."""
    if corruption == "none" and severity != 0:
        raise ValueError("a severity without a corruption; leave it out")
    if corruption not in (None, "none") and severity == 0:
        raise ValueError(f"corruption {corruption!r} needs a severity from 1 to 5")
    return severity


class MixtureComponent(Settings):
    """One of the conditions that a mixture draws from."""

    corruption: Annotated[str, AfterValidator(_known_corruption)] = "none"
    """`none` for clean images, or one of the corruptions that `cema list` shows."""
    severity: Severity = Field(default=0, validate_default=True)
    """1 (mild) to 5 (severe); 0 goes with `none`."""
    weight: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    """Its share of the samples, relative to the other components' weights."""

    @field_validator("severity")
    @classmethod
    def _fits_the_corruption(cls, severity: int, info: ValidationInfo) -> int:
        return _fitting(severity, info.data.get("corruption"))


class Shift(Settings):
    """One stretch of a device's world: one condition, a ramp of severities, or a mixture of conditions."""

    mix: Annotated[tuple[MixtureComponent, ...], Field(min_length=1, strict=False)] | None = None
    """Instead of one corruption: the conditions from which each sample of a batch draws its own."""
    corruption: str = Field(default="none", validate_default=True)
    """`none` for clean images, or one of the corruptions that `cema list` shows; `mixed` beside `mix`."""
    severity_to: Severity | None = None
    """Makes a ramp: from `severity` to this one in whole steps of equal length, upwards or downwards."""
    severity: Severity = Field(default=0, validate_default=True)
    """1 (mild) to 5 (severe), or 0 for clean images, which goes with `none`, `mix` and either end of a ramp."""
    duration_s: Annotated[Duration, Field(ge=1e-6)] | None = Field(default=None, validate_default=True)
    """How long it lasts; left out, it lasts until the end (allowed for the last shift only, and not for a ramp)."""

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Corruption and severity of what the shift goes through or draws from, in order; clean is ("none", 0)."""
        if self.mix:
            return tuple((component.corruption, component.severity) for component in self.mix)
        last = self.severity if self.severity_to is None else self.severity_to
        way = 1 if last >= self.severity else -1
        severities = range(self.severity, last + way, way)
        return tuple((self.corruption if severity else "none", severity) for severity in severities)

    @field_validator("corruption")
    @classmethod
    def _fits_the_mixture(cls, corruption: str, info: ValidationInfo) -> str:
        if info.data.get("mix"):
            if corruption not in ("none", "mixed"):
                raise ValueError("a corruption beside `mix`; leave it out")
            return "mixed"
        if corruption == "mixed" and "mix" in info.data:
            raise ValueError("needs a `mix`, the conditions to draw from")
        return corruption if corruption == "mixed" else _known_corruption(corruption)

    @field_validator("severity_to")
    @classmethod
    def _leads_somewhere(cls, severity_to: int | None, info: ValidationInfo) -> int | None:
        if severity_to is not None and info.data.get("corruption") in ("none", "mixed"):
            raise ValueError("a ramp needs a corruption, and a single one")
        return severity_to

    @field_validator("severity")
    @classmethod
    def _fits_the_corruption(cls, severity: int, info: ValidationInfo) -> int:
        corruption = info.data.get("corruption")
        if corruption == "mixed" and severity != 0:
            raise ValueError("a severity beside `mix`, whose entries have their own; leave it out")
        known = (
            "mix" in info.data and "severity_to" in info.data
        )  # what is wrong itself says nothing of severities
        if corruption == "mixed" or not known or info.data["severity_to"]:
            return severity
        return _fitting(severity, corruption)

    @field_validator("duration_s")
    @classmethod
    def _a_ramp_ends(cls, duration_s: float | None, info: ValidationInfo) -> float | None:
        if duration_s is None and info.data.get("severity_to") is not None:
            raise ValueError("a ramp needs a duration_s, over which the severity changes")
        return duration_s


class LabelOrder(Settings):
    """Labels in random order, or one class after another."""

    order: Literal["shuffled", "sorted"]
    """`shuffled`: images in random order. `sorted`: by class; within a class in random order."""


class DirichletLabels(Settings):
    """Labels that are correlated in time."""

    dirichlet: Annotated[float, Field(ge=1e-6, le=1e6)]
    """Concentration: the smaller, the fewer stretches of the stream hold the images of a class (0.1 is usual)."""


def _label_order(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((name for name in ("dirichlet", "order") if name in keys), None)


Labels = Annotated[
    Annotated[LabelOrder, Tag("order")] | Annotated[DirichletLabels, Tag("dirichlet")],
    Discriminator(
        _label_order,
        custom_error_type="unknown_choice",
        custom_error_message="must be shuffled, sorted or a mapping {dirichlet: CONCENTRATION}",
    ),
    BeforeValidator(
        lambda value: {"order": value} if value in ("shuffled", "sorted") else value,
        json_schema_input_type=LabelOrder | DirichletLabels | Literal["shuffled", "sorted"],
    ),
]


class Stream(Settings):
    """When batches arrive at a device, and in which order the images come."""

    rate_hz: Annotated[float, Field(ge=1 / LONGEST_S, le=1e6, allow_inf_nan=False)]
    """Batches per second."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Samples in each batch."""
    arrival: Literal["periodic", "poisson"] = "periodic"
    """Equal gaps, or independent exponential gaps of the same mean."""
    phase: Literal["random", "zero"] = "random"
    """Whether a device's first periodic batch comes at a random moment of its first period or at zero."""
    labels: Labels = LabelOrder(order="shuffled")
    """Order of the labels: `shuffled`, `sorted` or `{dirichlet: CONCENTRATION}`. Each image comes once before any
    comes again."""
