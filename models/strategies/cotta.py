"""CoTTA in the cloud: consistency with an averaged teacher, and random restoration (https://arxiv.org/abs/2203.13591).

The devices upload all that they see; the cloud trains a student to agree with a teacher, whose weights are the moving
average of the student's, and publishes the teacher, with which the paper (CVPR 2022) predicts. Departure: the paper
adapts all weights; here the normalisation state alone adapts and travels, as in every strategy. Running statistics,
where they are tracked, are not weights: teacher and student share them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.strategies._online import OnlineInCloud
from scenarios.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student, StudentNetwork

Share = Annotated[float, Field(ge=0, le=1)]


class Cotta(OnlineInCloud):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.01.

    For CIFAR-10 the paper takes Adam with 0.001, an anchor_confidence of 0.92 (for CIFAR-100 of 0.72) and a
    restore_probability of 0.01.
    """

    name: Literal["cotta"] = "cotta"
    learning_rate: Positive = 0.01
    teacher_momentum: Share = 0.999
    """Alpha of equation 2: the share of the teacher's own weights in its new ones."""
    augmentations: Annotated[int, Field(ge=1)] = 32
    """N of equation 3: augmented copies of a batch over which the teacher's prediction is averaged."""
    anchor_confidence: Share = 0.1
    """p_th of equation 4: mean confidence of the deployed model in a batch from which on it is not augmented."""
    restore_probability: Share = 0.001
    """p of equation 7: the probability with which a step restores a parameter to its deployed value."""

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        return ContinualAdaptation(self, laboratory, student)


class ContinualAdaptation:
    """Weight- and augmentation-averaged pseudo-labels, consistency and stochastic restoration.

    The state of the laboratory's student is the teacher's, which is published.

    Attributes:
        trained: the affine parameters of the paper's student, float32 (d,).
        deployed: those of the deployed model, which anchors both, float32 (d,).

    """

    def __init__(self, settings: Cotta, laboratory: Laboratory, student: Student) -> None:
        from models.strategies._augmentation import Augmentation  # noqa: PLC0415

        network = student.network
        self.settings = settings
        self.may_augment = settings.anchor_confidence > 1 / network.source.num_classes
        self.deployed = network.deployed[: network.model.layout.affine_size]
        self.trained = self.deployed.copy()
        self.augment = Augmentation(
            network.source.preparation, laboratory.generator(f"cloud/augmentation/{student.name}")
        )
        self.restoration = laboratory.generator(f"cloud/restoration/{student.name}")

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of a student's step, a pass of the anchor, and 1 + N passes of the teacher.

        The augmented passes count whether the anchor asks for them or not: the released code for CIFAR makes them all.
        An anchor whose confidence cannot be below `anchor_confidence` never asks.
        """
        passes = 2 + (self.settings.augmentations if self.may_augment else 0)
        return samples * (network.training_flops + passes * network.forward_flops)

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); the logits (N, C) are the teacher's before it."""
        from torch.nn import functional as F  # noqa: PLC0415

        target = self.teach(student, images)
        teacher = student.state[: len(self.deployed)]
        student.state = _with_affine(student.state, self.trained)
        with student.training():
            loss = F.cross_entropy(student.logits(images), target.softmax(1))  # equation 5
            student.descend(loss)
        trained = student.state[: len(self.deployed)]
        student.state = _with_affine(student.state, self.average(teacher, trained))
        self.trained = self.restore(trained)
        return target, {"adaptation_loss": loss.item()}

    def teach(self, student: Student, images: NDArray[np.uint8]) -> Tensor:
        """Return the teacher's logits (N, C), averaged over augmentations where the anchor is unsure (equation 4).

        As in the released code, the anchor is sure of a batch as a whole, and logits are averaged.
        """
        from models.images import prepare  # noqa: PLC0415

        x = prepare(images, student.network.source.preparation, student.network.device)
        anchor = self.predict(student, _with_affine(student.state, self.deployed), x)
        if anchor.softmax(1).amax(1).mean() >= self.settings.anchor_confidence:
            return self.predict(student, student.state, x)
        logits = self.predict(student, student.state, self.augment(x))
        for _ in range(self.settings.augmentations - 1):
            logits += self.predict(student, student.state, self.augment(x))
        return logits / self.settings.augmentations  # equation 3

    def predict(self, student: Student, state: NDArray[np.float32], x: Tensor) -> Tensor:
        """Return the logits (N, C) of a state (D,) for input (N, c, H, W), normalised as the student will be."""
        import torch  # noqa: PLC0415

        model = student.network.model
        model.load(state)
        model.use(student.statistics)
        with torch.no_grad():
            return model.logits(x)

    def average(self, teacher: NDArray[np.float32], trained: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the teacher's new affine parameters (d,) (equation 2)."""
        momentum = self.settings.teacher_momentum
        return momentum * teacher + (1 - momentum) * trained

    def restore(self, trained: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the student's affine parameters (d,), some of them as deployed (equations 7 and 8)."""
        import numpy as np  # noqa: PLC0415

        mask = self.restoration.random(len(trained)) < self.settings.restore_probability
        return np.where(mask, self.deployed, trained)


def _with_affine(state: NDArray[np.float32], affine: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a state (D,) with its affine parameters replaced by others, (d,)."""
    import numpy as np  # noqa: PLC0415

    return np.concatenate([affine, state[len(affine) :]])
