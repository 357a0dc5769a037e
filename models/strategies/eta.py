"""ETA in the cloud: entropy minimisation on reliable, non-redundant samples (https://arxiv.org/abs/2204.02610).

The devices upload all that they see; the cloud selects, and the devices predict with what it publishes. ETA is EATA
(ICML 2022) without its regulariser against forgetting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.strategies._online import OnlineInCloud
from models.strategies._selection import Selection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from models.normalisation import AdaptableModel
    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student, StudentNetwork


class Eta(OnlineInCloud, Selection):
    """The paper's settings for ImageNet: SGD with a learning rate of 0.00025.

    For CIFAR-10 the paper takes a learning rate of 0.005 and a d_margin of 0.4.
    """

    name: Literal["eta"] = "eta"

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        return SelectiveEntropyMinimisation(self, laboratory.edge_source.num_classes)


class SelectiveEntropyMinimisation:
    """The mean of S(x) H(x) over the selected samples (equations 2 to 6).

    A batch of which nothing is selected changes no parameter and has no loss.

    Attributes:
        e0: the entropy margin E_0 in nats.
        exclusion: both criteria, with the moving mean of the selected predictions: m <- 0.9 m + 0.1 mean(p). It starts
            as the mean of the first reliable ones, all of which are selected, as in the released code.

    """

    def __init__(self, selection: Selection, num_classes: int) -> None:
        self.e0 = selection.e0(num_classes)
        self.exclusion = selection.exclusion(num_classes)

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of a forward and backward pass.

        The released code masks the samples that are not selected and saves nothing on them.
        """
        return samples * network.training_flops

    def select(self, logits: Tensor) -> Tensor:
        """Return the indices, int64 (n,), of the reliable and non-redundant samples among logits (N, C)."""
        import torch  # noqa: PLC0415

        from models.criteria._chain import KEPT  # noqa: PLC0415

        verdicts = self.exclusion.judge(logits.detach().cpu())
        selected = [index for index, verdict in enumerate(verdicts) if verdict == KEPT]
        return torch.tensor(selected, dtype=torch.int64, device=logits.device)

    def loss(self, model: AdaptableModel, logits: Tensor) -> Tensor | None:
        """Return the loss of logits (N, C) from the model, a scalar: S(x) = exp(E_0 - H) where selected, else 0."""
        from models.distillation import weighted_entropy  # noqa: PLC0415

        selected = self.select(logits)
        return weighted_entropy(logits[selected], self.e0) if len(selected) else None

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); the logits (N, C) are those of the pass before it."""
        with student.training() as model:
            logits = student.logits(images)
            loss = self.loss(model, logits)
            if loss is not None:
                student.descend(loss)
        return logits.detach(), {} if loss is None else {"adaptation_loss": loss.item()}
