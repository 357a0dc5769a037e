"""Pseudo-label in the cloud: cross-entropy to the model's own labels, on every uploaded sample.

Source: Lee, *Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks*, ICML
2013 workshop on challenges in representation learning. As a rival in test-time adaptation, as in the comparisons of
Tent (https://arxiv.org/abs/2006.10726), it has no labelled data, and here normalisation alone adapts.
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


class PseudoLabel(OnlineInCloud):
    """SGD with a learning rate of 0.00025, as Tent on ImageNet."""

    name: Literal["pseudo_label"] = "pseudo_label"

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        return SelfLabelling()


class SelfLabelling:
    """The loss is the mean cross-entropy of the predictions to their most probable class, as if it were true."""

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of a forward and backward pass."""
        return samples * network.training_flops

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); the logits (N, C) are those of the pass before it."""
        from torch.nn import functional as F  # noqa: PLC0415

        return student.learn(
            images, lambda logits: {"adaptation_loss": F.cross_entropy(logits, logits.detach().argmax(1))}
        )
