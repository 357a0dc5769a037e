"""What a scenario file may say: the fleet, its world, its links, the cloud and the strategies to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from scenarios import catalogue
from scenarios.settings import Name, NonNegative, Positive, Settings

if TYPE_CHECKING:
    from models.codecs import Base as ImageCodec
    from models.datasets import Base as DataSetSource
    from models.sources import Base as ModelSource
    from models.strategies import Base as StrategySettings
    from models.update_codecs import Base as UpdateCodec
else:
    ImageCodec = catalogue.tagged_by_field(catalogue.CODECS, "codec")
    UpdateCodec = catalogue.tagged_by_field(catalogue.UPDATE_CODECS, "codec")
    DataSetSource = catalogue.tagged_by_key(catalogue.DATASETS)
    ModelSource = catalogue.tagged_by_key(catalogue.MODELS)
    StrategySettings = catalogue.tagged_by_field(catalogue.STRATEGIES, "name")


def _known_corruption(name: str) -> str:
    allowed = ("none", *catalogue.names(catalogue.CORRUPTIONS))
    if name not in allowed:
        raise ValueError(f"must be one of: {', '.join(allowed)}")
    return name


class Models(Settings):
    """The two models of the method; both must have the data set's classes."""

    edge: ModelSource
    """The weak model that every device runs."""
    foundation: ModelSource | None = None
    """The strong model in the cloud; only strategies that adapt in the cloud need it."""


class Shift(Settings):
    """One stretch of a device's world."""

    corruption: Annotated[str, AfterValidator(_known_corruption)] = "none"
    """`none` for clean images, or one of the corruptions that `cema list` shows."""
    severity: Annotated[int, Field(ge=0, le=5, validate_default=True)] = 0
    """1 (mild) to 5 (severe); 0 goes with `none`."""
    duration_s: Annotated[float, Field(ge=1e-6, allow_inf_nan=False)] | None = None
    """How long it lasts; left out, it lasts until the end (allowed for the last shift only)."""

    @field_validator("severity")
    @classmethod
    def _fits_the_corruption(cls, severity: int, info: ValidationInfo) -> int:
        corruption = info.data.get("corruption")
        if corruption == "none" and severity != 0:
            raise ValueError("a severity without a corruption; leave it out")
        if corruption not in (None, "none") and severity == 0:
            raise ValueError(f"corruption {corruption!r} needs a severity from 1 to 5")
        return severity


class Stream(Settings):
    """When batches arrive at a device."""

    rate_hz: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Batches per second."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Samples in each batch."""
    arrival: Literal["periodic", "poisson"] = "periodic"
    """Equal gaps, or independent exponential gaps of the same mean."""
    phase: Literal["random", "zero"] = "random"
    """Whether a device's first periodic batch comes at a random moment of its first period or at zero."""


class Compute(Settings):
    """A device's processor: a forward pass takes overhead_ms + FLOPs / gflops."""

    gflops: Annotated[float, Field(ge=1e-6)]
    """Sustained throughput in 10^9 floating-point operations per second; `.inf` for instant passes."""
    overhead_ms: NonNegative = 0.0
    """Fixed cost of each batch."""


class Queue(Settings):
    """The batches that wait while a device computes."""

    capacity: Annotated[int, Field(ge=1)] = 4
    """Batches that can wait, beside the one in progress."""
    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """Which batch a full queue loses when another arrives."""


class Link(Settings):
    """A device's own link; the directions do not disturb each other.

    Messages are cut into packets; each lost packet is sent again until it arrives, and every copy takes time.
    """

    uplink_mbps: Positive
    """Device to cloud, 10^6 bits per second; `.inf` for no limit."""
    downlink_mbps: Positive
    """Cloud to device, 10^6 bits per second; `.inf` for no limit."""
    latency_ms: NonNegative = 0.0
    """Propagation delay in each direction."""
    jitter_ms: NonNegative = 0.0
    """Mean of an exponential extra delay, drawn for each message; it never reorders messages."""
    loss: Annotated[float, Field(ge=0, le=0.99)] = 0.0
    """Probability that a packet is lost."""
    uplink_latency_ms: NonNegative | None = None
    """Replaces latency_ms upwards; likewise the next five."""
    downlink_latency_ms: NonNegative | None = None
    uplink_jitter_ms: NonNegative | None = None
    downlink_jitter_ms: NonNegative | None = None
    uplink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    downlink_loss: Annotated[float, Field(ge=0, le=0.99)] | None = None
    packet_bytes: Annotated[int, Field(ge=1)] = 1460
    """Largest payload of one packet."""
    header_bytes: Annotated[int, Field(ge=0)] = 40
    """Header of each packet (TCP/IPv4 without options)."""


class Group(Settings):
    """Devices of one kind in one world."""

    count: Annotated[int, Field(ge=1)] = 1
    """Number of devices; they are called <group>-0, <group>-1, ..."""
    stream: Stream
    schedule: Annotated[tuple[Shift, ...], Field(min_length=1, strict=False)] = (Shift(),)
    """The shifts of the world, one after another."""
    repeat_schedule: bool = False
    """Whether the schedule starts again at its end; otherwise the last shift lasts."""
    compute: Compute
    queue: Queue = Queue()
    link: Link
    upload_codec: ImageCodec = Field(default="png", validate_default=True)
    """How images are encoded for the way up."""

    @field_validator("schedule")
    @classmethod
    def _only_the_last_shift_is_open(cls, schedule: tuple[Shift, ...]) -> tuple[Shift, ...]:
        still_open = [str(i) for i, shift in enumerate(schedule[:-1]) if shift.duration_s is None]
        if still_open:
            places = (
                f"shift {still_open[0]} needs"
                if len(still_open) == 1
                else f"shifts {', '.join(still_open)} need"
            )
            raise ValueError(f"{places} a duration_s; only the last shift may go without")
        return schedule

    @field_validator("repeat_schedule")
    @classmethod
    def _repeats_only_what_ends(cls, repeat: bool, info: ValidationInfo) -> bool:
        schedule = info.data.get("schedule")
        if repeat and schedule and schedule[-1].duration_s is None:
            raise ValueError("a schedule that repeats needs a duration_s in its last shift too")
        return repeat


class Cloud(Settings):
    """Where the foundation model lives: a step takes overhead_ms + FLOPs / gflops on one accelerator."""

    accelerators: Annotated[int, Field(ge=1)] = 1
    """Steps that can run at a time; steps of one student never overlap."""
    gflops: Annotated[float, Field(ge=1e-6)]
    """Sustained throughput of each accelerator in 10^9 floating-point operations per second."""
    overhead_ms: NonNegative = 0.0
    """Fixed cost of each step."""
    update_codec: UpdateCodec = Field(default="fp16", validate_default=True)
    """How the edge model's normalisation state is encoded for the way down."""


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


class Scenario(Settings):
    """A fleet, its world and the strategies to run on it."""

    name: Name
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seeds every random stream of the run."""
    duration_s: Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]
    """Simulated time at which the run ends."""
    data: DataSetSource
    models: Models
    strategy: Annotated[
        tuple[StrategySettings, ...], Field(min_length=1, strict=False), BeforeValidator(_listed)
    ]
    """One strategy, or a list that is run one after another on the same images at the same moments."""
    cloud: Cloud
    groups: Annotated[dict[Name, Group], Field(min_length=1)]

    @field_validator("strategy")
    @classmethod
    def _have_names_and_models(
        cls, strategies: tuple[StrategySettings, ...], info: ValidationInfo
    ) -> tuple[StrategySettings, ...]:
        labels = [strategy.label or strategy.name for strategy in strategies]
        twice = {label for label in labels if labels.count(label) > 1}
        problems = [f"two are called {label!r}; give each its own `label`" for label in sorted(twice)]
        models = info.data.get("models")
        if models is not None and models.foundation is None:
            needy = {label for label, each in zip(labels, strategies, strict=True) if each.needs_foundation}
            problems += [
                f"{label!r} needs a foundation model; add `models.foundation`" for label in sorted(needy)
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return strategies
