"""What a scenario file may say of the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from scenarios import catalogue
from scenarios.profile import Profiled
from scenarios.settings import NonNegative

if TYPE_CHECKING:
    from models.update_codecs import Base as UpdateCodec
else:
    UpdateCodec = catalogue.tagged_by_field(catalogue.UPDATE_CODECS, "codec")


class Cloud(Profiled):
    """Where the foundation model lives: a step takes overhead_ms + FLOPs / gflops on one accelerator."""

    profiles = "accelerators"

    accelerators: Annotated[int, Field(ge=1)] = 1
    """Steps that can run at a time; steps of one student never overlap."""
    gflops: Annotated[float, Field(ge=1e-6)]
    """Sustained throughput of each accelerator in 10^9 floating-point operations per second."""
    overhead_ms: NonNegative = 0.0
    """Fixed cost of each step."""
    update_codec: UpdateCodec = Field(default="fp16", validate_default=True)
    """How the edge model's normalisation state is encoded for the way down."""
