"""How a network is computed: in which precision, and by PyTorch's own kernels or ones compiled for it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Arithmetic:
    """What decides on the arithmetic of passes.

    Attributes:
        precision: of convolutions and matrix products; parameters, statistics, losses and logits are float32 anyway.
        compiled: whether passes of evaluation mode are compiled (`torch.compile`), which takes up to a minute once.

    """

    precision: Precision = "float32"
    compiled: bool = False

    def active(self, device: torch.device) -> AbstractContextManager[object]:
        """Return a context in which passes on `device` have this precision."""
        if self.precision == "float32":
            return nullcontext()
        import torch  # noqa: PLC0415 - heavy

        return torch.autocast(device.type, torch.bfloat16)


EXACT = Arithmetic()
"""As it is unless somebody wants it otherwise."""
