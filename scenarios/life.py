"""What a scenario file may say of the time that devices are there, and of the clocks that pace them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from scenarios.network import Mean
from scenarios.settings import LONGEST_S, Duration, Seconds, Settings, increasing, number_text

Moment = Annotated[Duration, Field(ge=1e-6)]
"""Seconds after the start of the run, or a duration in seconds."""


class Spread(Settings):
    """A moment that each device draws for itself, uniformly."""

    from_s: Seconds
    """The earliest."""
    to_s: Seconds
    """The latest."""

    @field_validator("to_s")
    @classmethod
    def _comes_later(cls, to_s: float, info: ValidationInfo) -> float:
        from_s = info.data.get("from_s")
        if from_s is not None and to_s < from_s:
            raise ValueError(f"must not be before from_s, {number_text(from_s)}")
        return to_s


def _at(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("must be at least 0")
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        if value > LONGEST_S:
            raise ValueError(f"must be at most {number_text(LONGEST_S)}")
        return {"from_s": value, "to_s": value}
    if not isinstance(value, dict | Spread):
        raise ValueError("must be a number of seconds or {from_s: SECONDS, to_s: SECONDS}")
    return value


Spreading = Annotated[Spread, BeforeValidator(_at, json_schema_input_type=Seconds | Spread)]
"""A spread, or a number of seconds for one moment that all devices share."""


class Life(Settings):
    """When devices are there, and when they crash; each draws its own moments, whatever else happens in the run.

    Of a device that is away no message leaves and none reaches it, and what arrives of its stream is missed. When it
    comes, or comes back, it tells the cloud which version it holds.
    """

    joins_s: Spreading = Spread(from_s=0.0, to_s=0.0)
    """When a device is first there: a number, or `{from_s, to_s}` for a moment of each device's own."""
    leaves_s: Spreading | None = None
    """When it leaves for good, likewise. Leaving is orderly: it finishes the batch in progress and begins no other;
    the batches in its queue stay there."""
    mean_absent_s: Mean | None = None
    """Mean of the exponential times for which a device is away between stays, which it ends in the same order."""
    mean_present_s: Mean | None = Field(default=None, validate_default=True)
    """Mean of the exponential times for which it stays; given together with mean_absent_s."""
    crashes_s: Annotated[tuple[Moment, ...], Field(strict=False), AfterValidator(increasing)] = ()
    """Moments at which every device of the group crashes that is there."""
    mean_up_s: Mean | None = None
    """Mean of the exponential time from when a device comes up to a crash; beside crashes_s or instead of it."""
    mean_down_s: Mean | None = None
    """Mean of the exponential time from a crash until the device is back; or restart_s instead."""
    restart_s: Moment | None = Field(default=None, validate_default=True)
    """Time from a crash until the device is back."""
    state: Literal["kept", "lost"] = "kept"
    """What a crash leaves of a device. Lost in any crash: the batch in progress and those that wait for the cloud's
    answer. `kept`: all else, which is the version held, what the method remembers and the queue; a step that a method
    takes on the device counts as taken although its batch is lost. `lost`: nothing; it comes back as deployed, and of
    its messages the one alone goes on that was being sent."""

    @field_validator("leaves_s")
    @classmethod
    def _joins_first(cls, leaves_s: Spread | None, info: ValidationInfo) -> Spread | None:
        joins_s: Spread | None = info.data.get("joins_s")
        if leaves_s is not None and joins_s is not None and leaves_s.from_s <= joins_s.to_s:
            raise ValueError(f"must be later than joins_s, {number_text(joins_s.to_s)}")
        return leaves_s

    @field_validator("mean_present_s")
    @classmethod
    def _comes_and_goes(cls, mean_present_s: float | None, info: ValidationInfo) -> float | None:
        if "mean_absent_s" in info.data and (mean_present_s is None) != (info.data["mean_absent_s"] is None):
            raise ValueError("give both mean_present_s and mean_absent_s, or neither")
        return mean_present_s

    @field_validator("restart_s")
    @classmethod
    def _comes_back(cls, restart_s: float | None, info: ValidationInfo) -> float | None:
        if not {"crashes_s", "mean_up_s", "mean_down_s"} <= info.data.keys():
            return restart_s  # they have mistakes of their own
        ways = (restart_s is not None) + (info.data["mean_down_s"] is not None)
        crashes = bool(info.data["crashes_s"]) or info.data["mean_up_s"] is not None
        if crashes and ways != 1:
            raise ValueError(
                "crashes need restart_s or mean_down_s" + (", not both" if ways else "; give one of them")
            )
        if ways and not crashes:
            raise ValueError("no crashes to come back from; give crashes_s or mean_up_s")
        return restart_s

    @field_validator("state")
    @classmethod
    def _is_what_crashes_leave(cls, state: str, info: ValidationInfo) -> str:
        if not {"crashes_s", "mean_up_s"} <= info.data.keys():
            return state
        if state == "lost" and not info.data["crashes_s"] and info.data["mean_up_s"] is None:
            raise ValueError("no crashes to lose it in; give crashes_s or mean_up_s, or leave it out")
        return state


class DeviceClock(Settings):
    """The clocks of devices, which pace their periodic batches; the world's schedule keeps true time."""

    drift_ppm: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Standard deviation, over devices, of a clock's relative rate error in parts per million; normally distributed
    around zero. Crystals have some 10 to 100."""
