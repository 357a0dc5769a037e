"""Tent in the cloud: entropy minimisation on every uploaded sample (https://arxiv.org/abs/2006.10726, ICLR 2021).

The devices upload all that they see and predict with what the cloud publishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._online import OnlineInCloud

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student, StudentNetwork


class Tent(OnlineInCloud):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.00025 (for CIFAR-10 Adam with 0.001)."""

    name: Literal["tent"] = "tent"

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        return EntropyMinimisation()


class EntropyMinimisation:
    """Equation 1 of the paper: the loss is the mean entropy of the batch's predictions."""

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of a forward and backward pass."""
        return samples * network.training_flops

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); the logits (N, C) are those of the pass before it."""
        from models.entropy import entropy  # noqa: PLC0415

        return student.learn(images, lambda logits: {"adaptation_loss": entropy(logits).mean()})
