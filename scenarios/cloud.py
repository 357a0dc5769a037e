"""What a scenario file may say of the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from scenarios import catalogue
from scenarios.profile import Profiled
from scenarios.settings import Duration, Milliseconds, NonNegative, Seconds, Settings, increasing

if TYPE_CHECKING:
    from models.update_codecs import Base as UpdateCodec

    Discipline = Any  # of a room that this one does not know: sim.disciplines.Base
else:
    UpdateCodec = catalogue.tagged_by_field(catalogue.UPDATE_CODECS, "codec")
    Discipline = catalogue.tagged_by_field(catalogue.DISCIPLINES, "discipline")

Interval = Annotated[Duration, Field(ge=0.001)]


class Inbox(Settings):
    """Uploads that the cloud has received and not yet looked at.

    It takes the next one in as soon as an accelerator is free and no step of the sender's student is running: the
    strategy knows nothing of an upload before.
    """

    discipline: Discipline = Field(default="first_in_first_out", validate_default=True)
    """Which upload is taken in next."""
    capacity: Annotated[int, Field(ge=0)] | None = None
    """Uploads that can wait; null for no limit. With 0 an upload is taken in at once or never."""
    overflow: Literal["reject_newest", "drop_oldest", "drop_least_informative"] = "reject_newest"
    """Which upload a full inbox refuses when another arrives; of several least informative ones the newest.

    The sender is not told: a batch that waits for its answer waits to the end of the run.
    """


class Autoscaling(Settings):
    """Accelerators that come and go with the load, beyond `accelerators`, which are always there."""

    most_accelerators: Annotated[int, Field(ge=2)]
    """Never more than these, counting those that are starting."""
    waiting_per_accelerator: NonNegative = 1.0
    """Another one is started when more steps and uploads than this wait for each; what waits for a step of its own
    student does not count, since no accelerator could help it: with one student for all there is never work for two."""
    start_up_s: Seconds = 0.0
    """From the decision to the moment at which it can take a step; it is paid for all the while."""
    idle_s: Seconds = 60.0
    """One that has been idle for so long is stopped."""


class Crashes(Settings):
    """Failures of the cloud, after which it goes on from its last checkpoint.

    A crash loses the steps that run or wait, the uploads in the inbox, and all that the strategy has learnt and
    remembered since the checkpoint; so is lost what arrives before the restart. Version numbers go on.
    """

    at_s: Annotated[
        tuple[Annotated[Duration, Field(gt=0)], ...],
        Field(strict=False),
        AfterValidator(increasing),
    ] = ()
    """Moments of crashes; one at which the cloud is down already does nothing."""
    mean_up_s: Interval | None = None
    """Mean of the exponential time from the start, and from each restart, to a crash; null for none by chance."""
    restart_s: Seconds
    """From a crash to the moment at which the cloud is back."""
    checkpoint_every_s: Interval | None = None
    """A checkpoint is taken at every multiple of this, and is complete when the steps that run then are done; null for
    never: a restart then begins with the deployed models."""

    @model_validator(mode="after")
    def _say_when(self) -> Self:
        if not self.at_s and self.mean_up_s is None:
            raise ValueError("say when: at_s, mean_up_s or both")
        return self


class Cloud(Profiled):
    """Where the foundation model lives: a step takes overhead_ms + FLOPs / gflops on one accelerator."""

    profiles = "accelerators"

    accelerators: Annotated[int, Field(ge=1)] = 1
    """Steps that can run at a time; steps of one student never overlap."""
    gflops: Annotated[float, Field(ge=1e-6)]
    """Sustained throughput of each accelerator in 10^9 floating-point operations per second."""
    overhead_ms: Milliseconds = 0.0
    """Fixed cost of each step."""
    update_codec: UpdateCodec = Field(default="fp16", validate_default=True)
    """How the edge model's normalisation state is encoded for the way down."""
    inbox: Inbox | None = None
    """Where uploads wait for an accelerator; null hands each to the strategy as it arrives, and only steps that are
    ready wait, first in, first out."""
    autoscaling: Autoscaling | None = None
    """Whether there are more accelerators when much waits; null for never."""
    crashes: Crashes | None = None
    """When the cloud fails; null for never."""
    catches_up: bool = True
    """Whether a device that joins, or comes back, is sent the newest version where it holds an older one, unless that
    is on its way to it already."""

    @field_validator("autoscaling")
    @classmethod
    def _leaves_room(cls, autoscaling: Autoscaling | None, info: ValidationInfo) -> Autoscaling | None:
        accelerators = info.data.get("accelerators")
        if (
            autoscaling is not None
            and accelerators is not None
            and autoscaling.most_accelerators <= accelerators
        ):
            raise ValueError(
                f"most_accelerators must be more than the {accelerators} of `accelerators`, "
                f"unlike {autoscaling.most_accelerators}"
            )
        return autoscaling
