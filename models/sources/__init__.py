"""Where models come from. One file for each kind of source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scenarios.settings import Settings

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LoadedModel:
    """A classifier in evaluation mode and how its input is prepared.

    Attributes:
        network: maps float32 (N, C, H, W), normalised by `mean` and `std`, to logits (N, num_classes).
        num_classes: number of classes.
        mean, std: per channel, of pixel values in [0, 1].

    """

    network: nn.Module
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Base(Settings):
    """Settings of a model; `load` builds it and reads its weights."""

    runs_code: ClassVar[bool] = False
    """Whether loading runs Python that the user wrote, which `--allow-code` must permit."""

    def load(self) -> LoadedModel:
        """Return a fresh copy; raises models.errors.InputError where the weights do not fit."""
        raise NotImplementedError
