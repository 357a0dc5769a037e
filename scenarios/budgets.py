"""What a scenario may say of upload budgets, and of the quality at which images are uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from scenarios import catalogue
from scenarios.settings import Duration, Seconds, Settings, number_text

if TYPE_CHECKING:
    from models.codecs import Base as ImageCodec
    from models.ranks import Base as RankSettings
else:
    ImageCodec = catalogue.tagged_by_field(catalogue.CODECS, "codec")
    RankSettings = catalogue.tagged_by_field(catalogue.RANKS, "rank")


class Budget(Settings):
    """Bytes that devices may hand to their uplinks: a sustained rate, an allowance for each period, or both.

    Every message of samples or of statistics is charged its payload and the headers of its packets when it is handed
    over, and goes only if all of it is there. Packets that are lost and sent again are not known then: not charged.
    Statistics, announcements of batches without samples, and samples that ask for an answer are never given up: they
    wait in order, before other samples. On a device that is away all waits, and is charged once it is back. One message
    holds samples of one batch, so what is kept of a batch may arrive in several messages; the cloud takes each as a
    batch of its own.
    """

    per: Literal["device", "group", "fleet"] = "device"
    """Who has one budget: each device, each group, or all devices of the groups that name it."""
    rate_kbps: Annotated[float, Field(ge=0.001, allow_inf_nan=False)] | None = None
    """Token bucket: what flows in, 10^3 bits per second. It starts full."""
    burst_bytes: Annotated[int, Field(ge=1)] | None = Field(default=None, validate_default=True)
    """What the token bucket holds at most, and so the largest message; needed beside rate_kbps."""
    allowance_bytes: Annotated[int, Field(ge=1)] | None = Field(default=None, validate_default=True)
    """What may be sent in each period; what is left at its end does not carry over."""
    period_s: Annotated[Duration, Field(ge=1e-6)] = 86400.0
    """Length of the allowance's periods."""
    starts_at_s: Seconds = 0.0
    """When the allowance's first period begins; before it nothing may be sent."""
    pacing: Literal["none", "even"] = Field(default="none", validate_default=True)
    """`even`: of the allowance a, a share t / period_s is free by time t of a period, so that it lasts."""
    ahead_bytes: Annotated[int, Field(ge=0)] = Field(default=0, validate_default=True)
    """What may be sent ahead of an even pace."""
    excess: Literal["drop", "wait", "replace"] = "drop"
    """What becomes of kept samples that do not fit.

    - drop: they are given up at once;
    - wait: they wait on the device until they fit; a full device loses some by `overflow`;
    - replace: they wait too, and a full device loses those of the lowest rank.
    """
    waiting_samples: Annotated[int, Field(ge=1)] = 64
    """Samples that can wait on each device."""
    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """Which samples a full device loses under `excess: wait`."""
    rank: RankSettings = Field(default="arrival", validate_default=True)
    """Which samples go first; of those that wait none overtakes a better one, even where it would fit."""

    @field_validator("burst_bytes")
    @classmethod
    def _goes_with_a_rate(cls, burst_bytes: int | None, info: ValidationInfo) -> int | None:
        if "rate_kbps" in info.data and (info.data["rate_kbps"] is None) != (burst_bytes is None):
            raise ValueError("a token bucket needs both rate_kbps and burst_bytes")
        return burst_bytes

    @field_validator("allowance_bytes")
    @classmethod
    def _limits_something(cls, allowance_bytes: int | None, info: ValidationInfo) -> int | None:
        if allowance_bytes is None and "rate_kbps" in info.data and info.data["rate_kbps"] is None:
            raise ValueError("a budget needs allowance_bytes, or rate_kbps and burst_bytes, or all of them")
        return allowance_bytes

    @field_validator("period_s", "starts_at_s")
    @classmethod
    def _belongs_to_an_allowance(cls, value: float, info: ValidationInfo) -> float:
        default = cls.model_fields[str(info.field_name)].default
        if value != default and "allowance_bytes" in info.data and info.data["allowance_bytes"] is None:
            raise ValueError(
                f"has no effect without allowance_bytes; leave it out, or give {number_text(default)}"
            )
        return value

    @field_validator("waiting_samples", "overflow")
    @classmethod
    def _belongs_to_an_excess(cls, value: object, info: ValidationInfo) -> object:
        """Only what waits has a limit, and only under `wait` the limit is not kept by rank."""
        default = cls.model_fields[str(info.field_name)].default
        needed = ("wait", "replace") if info.field_name == "waiting_samples" else ("wait",)
        excess = info.data.get("excess")
        if value != default and excess is not None and excess not in needed:
            ways = " or ".join(f"`excess: {way}`" for way in needed)
            raise ValueError(f"has no effect with `excess: {excess}`; needs {ways}, or leave it out")
        return value

    @field_validator("pacing")
    @classmethod
    def _paces_an_allowance(cls, pacing: str, info: ValidationInfo) -> str:
        if pacing != "none" and "allowance_bytes" in info.data and info.data["allowance_bytes"] is None:
            raise ValueError("must be none without allowance_bytes")
        return pacing

    @field_validator("ahead_bytes")
    @classmethod
    def _is_ahead_of_a_pace(cls, ahead_bytes: int, info: ValidationInfo) -> int:
        if ahead_bytes and info.data.get("pacing") == "none":
            raise ValueError("must be 0 without `pacing: even`")
        return ahead_bytes


class UploadQuality(Settings):
    """Lower levels of quality for uploads, each a codec; level 0, the best, is the group's `upload_codec`.

    All kept samples of a batch are encoded at the best level that is good enough, or else at the last. The level
    travels as one byte at the start of each message of samples.
    """

    lower: Annotated[tuple[ImageCodec, ...], Field(min_length=1, max_length=255, strict=False)]
    """Levels 1, 2, ... from better to worse."""
    by: Literal["link", "budget"]
    """What makes a level good enough.

    - link: the message would leave within target_s, behind all that is before it, at the rate of the last one that
      has arrived, or the link's own before any;
    - budget: the message fits what the budget has now, less what waits on the device.
    """
    target_s: Annotated[Duration, Field(gt=0)] | None = Field(default=None, validate_default=True)
    """The time that `by: link` allows."""

    @field_validator("target_s")
    @classmethod
    def _goes_with_the_link(cls, target_s: float | None, info: ValidationInfo) -> float | None:
        if "by" in info.data and (info.data["by"] == "link") != (target_s is not None):
            raise ValueError(
                "needed with `by: link`" if target_s is None else "must be left out unless `by: link`"
            )
        return target_s
