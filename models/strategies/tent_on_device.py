"""Tent on the device: entropy minimisation with backward passes on every device (https://arxiv.org/abs/2006.10726)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._online import OnlineOnDevice

if TYPE_CHECKING:
    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student


class TentOnDevice(OnlineOnDevice):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.00025 (for CIFAR-10 Adam with 0.001)."""

    name: Literal["tent_on_device"] = "tent_on_device"

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one device."""
        from models.strategies.tent import EntropyMinimisation  # noqa: PLC0415

        return EntropyMinimisation()
