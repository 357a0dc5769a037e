"""What a scenario file may say of the devices: their world, their processor and what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from scenarios import catalogue
from scenarios.budgets import UploadQuality
from scenarios.life import DeviceClock, Life
from scenarios.network import Link
from scenarios.profile import Profiled
from scenarios.settings import Milliseconds, Name, NonNegative, Positive, Seconds, Settings
from scenarios.world import Shift, Stream

if TYPE_CHECKING:
    from models.codecs import Base as ImageCodec
else:
    ImageCodec = catalogue.tagged_by_field(catalogue.CODECS, "codec")


class Compute(Profiled):
    """A device's processor: a forward pass takes overhead_ms + FLOPs / gflops."""

    profiles = "devices"

    gflops: Annotated[float, Field(ge=1e-6)]
    """Sustained throughput in 10^9 floating-point operations per second; `.inf` for instant passes."""
    overhead_ms: Milliseconds = 0.0
    """Fixed cost of each batch."""
    memory_mb: Positive | None = None
    """Working memory, 10^6 bytes; null where it is not known. It is told, and limits nothing."""
    idle_w: NonNegative | None = None
    """Power of the whole device while it computes nothing, radio apart; null where it is not known."""
    busy_w: NonNegative | None = None
    """Power of the whole device while it computes, radio apart; null where it is not known."""


class Queue(Settings):
    """The batches that wait while a device computes."""

    capacity: Annotated[int, Field(ge=1)] = 4
    """Batches that can wait, beside the one in progress."""
    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """Which batch a full queue loses when another arrives."""
    skip_after_s: Seconds | None = None
    """A batch that arrived longer ago than this when its turn comes is dropped; left out, none is too old."""


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
    life: Life | None = None
    """When devices join, leave and crash; left out, all are there from start to end."""
    clock: DeviceClock = DeviceClock()
    """How exactly devices keep time."""
    link: Link
    upload_codec: ImageCodec = Field(default="png", validate_default=True)
    """How images are encoded for the way up."""
    budget: Name | None = None
    """The one of `budgets` that limits what its devices upload; left out, nothing does."""
    upload_quality: UploadQuality | None = None
    """Lower levels of quality for when the link or the budget does not bear upload_codec; left out, there are none."""

    @property
    def upload_codecs(self) -> tuple[ImageCodec, ...]:
        """The codecs of all levels of quality, from the best to the worst."""
        return (self.upload_codec, *(self.upload_quality.lower if self.upload_quality else ()))

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Corruption and severity of all that its devices can meet, each once."""
        listed = [condition for shift in self.schedule for condition in shift.conditions]
        return tuple(dict.fromkeys([*listed, ("none", 0)] if self.afterwards == "clean" else listed))

    @field_validator("clock")
    @classmethod
    def _paces_something(cls, clock: DeviceClock, info: ValidationInfo) -> DeviceClock:
        stream: Stream | None = info.data.get("stream")
        if clock.drift_ppm and stream is not None and stream.arrival != "periodic":
            raise ValueError(f"a clock paces periodic batches alone; the stream's are {stream.arrival}")
        return clock

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

    @field_validator("upload_quality")
    @classmethod
    def _follows_a_budget(cls, quality: UploadQuality | None, info: ValidationInfo) -> UploadQuality | None:
        if (
            quality is not None
            and quality.by == "budget"
            and "budget" in info.data
            and info.data["budget"] is None
        ):
            raise ValueError("`by: budget` needs a budget; name one of `budgets` in the group's `budget`")
        return quality

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
