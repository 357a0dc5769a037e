"""Where models come from. One file for each kind of source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from models.arithmetic import EXACT, Arithmetic
from scenarios.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from models.flops import Known
    from models.images import Preparation


@dataclass(frozen=True)
class LoadedModel:
    """A classifier in evaluation mode and how its input is prepared.

    Attributes:
        network: maps prepared images, float32 (N, C, H, W), to logits (N, num_classes).
        num_classes: number of classes.
        preparation: how stored images become its input.
        arithmetic: how it is computed.
        operations: what was counted of the network, to be shared by models that were loaded alike; see models.flops.

    """

    network: nn.Module
    num_classes: int
    preparation: Preparation
    arithmetic: Arithmetic = EXACT
    operations: Known = field(default_factory=dict, compare=False, repr=False)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return the model itself: it is what was loaded, and whoever adapts it has copied its state."""
        return self


class Base(Settings):
    """Settings of a model; `load` builds it and reads its weights."""

    runs_code: ClassVar[bool] = False
    """Whether loading runs Python that the user wrote, which `--allow-code` must permit."""

    def load(self) -> LoadedModel:
        """Return a fresh copy; raises models.errors.InputError where the weights do not fit."""
        raise NotImplementedError
