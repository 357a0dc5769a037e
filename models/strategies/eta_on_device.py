"""ETA on the device: selective entropy minimisation with backward passes on every device.

Source: https://arxiv.org/abs/2204.02610, ICML 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._online import OnlineOnDevice
from models.strategies._selection import Selection

if TYPE_CHECKING:
    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student


class EtaOnDevice(OnlineOnDevice, Selection):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.00025.

    For CIFAR-10 the paper takes a learning rate of 0.005 and a d_margin of 0.4.
    """

    name: Literal["eta_on_device"] = "eta_on_device"

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one device."""
        from models.strategies.eta import SelectiveEntropyMinimisation  # noqa: PLC0415

        return SelectiveEntropyMinimisation(self, laboratory.edge_source.num_classes)
