"""What a scenario file may say: the fleet, its world, its links, the cloud and the strategies to compare."""

from __future__ import annotations

from itertools import accumulate, cycle, islice, pairwise, takewhile
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from scenarios import catalogue
from scenarios.settings import Name, NonNegative, Positive, Settings
from scenarios.world import Shift, Stream

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


class Models(Settings):
    """The two models of the method; both must have the data set's classes."""

    edge: ModelSource
    """The weak model that every device runs."""
    foundation: ModelSource | None = None
    """The strong model in the cloud; only strategies that adapt in the cloud need it."""


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
    cell: Name | None = None
    """The one of `cells` whose capacity the devices share; uplink_mbps and downlink_mbps then limit each device."""


class Cell(Settings):
    """Capacity that links share: all active devices alike, but none beyond what its own link can carry."""

    uplink_mbps: Positive
    """All devices to the cloud, 10^6 bits per second; `.inf` for no limit."""
    downlink_mbps: Positive
    """The cloud to all devices, 10^6 bits per second; `.inf` for no limit."""


class Group(Settings):
    """Devices of one kind in one world."""

    count: Annotated[int, Field(ge=1)] = 1
    """Number of devices; they are called <group>-0, <group>-1, ..."""
    stream: Stream
    schedule: Annotated[tuple[Shift, ...], Field(min_length=1, strict=False)] = (Shift(),)
    """The shifts of the world, one after another."""
    repeat_schedule: bool = False
    """Whether the schedule starts again at its end, for ever; otherwise the last shift lasts."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """How often the schedule is gone through before the last shift lasts; left out, once."""
    afterwards: Literal["last_shift", "clean"] = "last_shift"
    """What holds after the last round; a last shift without duration_s has no end."""
    schedule_order: Literal["listed", "shuffled"] = "listed"
    """Whether every device meets the shifts as listed, or each in a random order of its own, the same in every round;
    a last shift without duration_s stays last."""
    schedule_start: Literal["together", "staggered", "random"] = "together"
    """Where in a round each device begins: all at its start, device i of n at i/n of it, or each at a random moment.
    A round is then over when the device is back where it began."""
    compute: Compute
    queue: Queue = Queue()
    link: Link
    upload_codec: ImageCodec = Field(default="png", validate_default=True)
    """How images are encoded for the way up."""

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Corruption and severity of all that its devices can meet, each once."""
        listed = [condition for shift in self.schedule for condition in shift.conditions]
        return tuple(dict.fromkeys([*listed, ("none", 0)] if self.afterwards == "clean" else listed))

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
    def _repeats_only_what_ends(cls, repeat_schedule: bool, info: ValidationInfo) -> bool:
        if repeat_schedule and _is_open(info):
            raise ValueError("a schedule that repeats needs a duration_s in its last shift too")
        return repeat_schedule

    @field_validator("rounds")
    @classmethod
    def _rounds_come_to_an_end(cls, rounds: int | None, info: ValidationInfo) -> int | None:
        if rounds is not None and info.data.get("repeat_schedule"):
            raise ValueError("repeat_schedule goes on for ever; give one of the two")
        if rounds is not None and rounds > 1 and _is_open(info):
            raise ValueError("a schedule of several rounds needs a duration_s in its last shift too")
        return rounds

    @field_validator("afterwards")
    @classmethod
    def _comes_after_an_end(cls, afterwards: str, info: ValidationInfo) -> str:
        if afterwards != "last_shift" and info.data.get("repeat_schedule"):
            raise ValueError("must be last_shift where repeat_schedule goes on for ever; give rounds instead")
        if afterwards != "last_shift" and _is_open(info):
            raise ValueError("must be last_shift unless the last shift too has a duration_s")
        return afterwards

    @field_validator("schedule_start")
    @classmethod
    def _begins_inside_what_ends(cls, start: str, info: ValidationInfo) -> str:
        if start != "together" and _is_open(info):
            raise ValueError("must be together unless the last shift too has a duration_s")
        return start


def _is_open(info: ValidationInfo) -> bool:
    """Tell whether the last shift of the schedule that is being validated has no end."""
    schedule: tuple[Shift, ...] = info.data.get("schedule", ())
    return bool(schedule) and schedule[-1].duration_s is None


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
    duration_s: Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]
    """Simulated time at which the run ends."""
    data: DataSetSource
    models: Models
    strategy: Annotated[
        tuple[StrategySettings, ...], Field(min_length=1, strict=False), BeforeValidator(_listed)
    ]
    """One strategy, or a list that is run one after another on the same images at the same moments."""
    cloud: Cloud
    cells: dict[Name, Cell] = Field(default_factory=dict)
    """What several links share, by name; a link says in `cell` which it is a part of."""
    groups: Annotated[dict[Name, Group], Field(min_length=1)]
    resets_s: Annotated[
        tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...],
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
    def _have_cells(cls, groups: dict[str, Group], info: ValidationInfo) -> dict[str, Group]:
        cells = info.data.get("cells")
        if cells is None:
            return groups  # they have mistakes of their own
        named = {name: group.link.cell for name, group in groups.items() if group.link.cell is not None}
        allowed = ", ".join(cells) or "none; describe it in `cells`"
        problems = [
            f"{name}.link.cell: no such cell {cell!r}; cells: {allowed}"
            for name, cell in named.items()
            if cell not in cells
        ] or [
            f"no link is a part of the cell {cell!r}; name it in a group's `link.cell`, or remove it from `cells`"
            for cell in cells
            if cell not in named.values()
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return groups

    @field_validator("resets_s")
    @classmethod
    def _lie_within_the_run(cls, resets_s: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        for before, after in pairwise(resets_s):
            if after <= before:
                raise ValueError(f"must increase, but {before:g} is followed by {after:g}")
        duration_s = info.data.get("duration_s")
        if resets_s and duration_s is not None and resets_s[-1] >= duration_s:
            raise ValueError(
                f"must lie before the end of the run at {duration_s:g} s, unlike {resets_s[-1]:g}"
            )
        return resets_s
