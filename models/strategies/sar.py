"""SAR in the cloud: sharpness-aware and reliable entropy minimisation (https://arxiv.org/abs/2302.12400, ICLR 2023).

The devices upload all that they see; the cloud drops unreliable samples, steps towards a flat minimum of the entropy
of the others, and goes back to the model as deployed when it finds the adapted one collapsed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.errors import InputError
from models.strategies._online import OnlineInCloud
from scenarios.settings import NonNegative, Positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from models.normalisation import AdaptableModel
    from models.strategies._interface import Laboratory
    from models.strategies._online import Method
    from models.student import Student, StudentNetwork


class Sar(OnlineInCloud):
    """The paper's settings for a ResNet on ImageNet: SGD with a learning rate of 0.00025 (0.001 for ViT-Base)."""

    name: Literal["sar"] = "sar"
    e0_share: Positive = 0.4
    """E_0 as a share of ln C: predictions whose entropy is not below it are unreliable (equation 2)."""
    rho: NonNegative = 0.05
    """Radius of the neighbourhood in which the entropy is to be flat, in the norm of the parameters (equation 3)."""
    reset_below_nats: NonNegative = 0.2
    """e_0 of the model recovery: the moving average of the loss below which the model has collapsed; 0 never resets."""
    frozen_layers: Annotated[tuple[str, ...], Field(strict=False)] = (
        "layer4",
        "blocks.9",
        "blocks.10",
        "blocks.11",
        "norm",
    )
    """Parts of the network, by the beginning of their names, whose normalisation layers stay as deployed.

    The paper freezes the top layers: the last stage of a ResNet, and the last three blocks of ViT-Base with the final
    normalisation, as torchvision and timm name them. Networks without parts of these names adapt as a whole.
    """

    def method(self, laboratory: Laboratory, student: Student) -> Method:
        """Return the method for one student."""
        return SharpnessAwareEntropyMinimisation(self, student, laboratory.edge_source.num_classes)


class SharpnessAwareEntropyMinimisation:
    """min over theta of S(x) max over |epsilon| <= rho of H(x; theta + epsilon), with S(x) = 1 where H(x) < E_0.

    A batch without a reliable sample, before or after the climb, changes no parameter and has no loss. (The released
    code lets the optimiser's momentum carry on there.)

    Attributes:
        e0: the entropy margin E_0 in nats.
        trained: the parameters that are not frozen.
        average: e_m, the moving average of the loss in nats; None at first and after a reset.

    """

    def __init__(self, settings: Sar, student: Student, num_classes: int) -> None:
        self.settings = settings
        self.e0 = settings.e0_share * math.log(num_classes)
        self.trained = _unfrozen(student.network.model, settings.frozen_layers)
        self.average: float | None = None

    def flops(self, network: StudentNetwork, samples: int) -> int:
        """Return the operations of two forward and backward passes.

        The released code masks unreliable samples and saves nothing on them.
        """
        return 2 * samples * network.training_flops

    def adapt(self, student: Student, images: NDArray[np.uint8]) -> tuple[Tensor, dict[str, float]]:
        """Take one step on uint8 images (N, H, W, C); the logits (N, C) are those of the pass before it."""
        from models.entropy import entropy  # noqa: PLC0415

        with student.training() as model:
            logits = student.logits(images)
            entropies = entropy(logits)
            reliable = entropies < self.e0
            loss = None
            if reliable.any():
                state = model.state.clone()
                self.climb(entropies[reliable].mean())
                entropies = entropy(student.logits(images))[reliable]
                loss = self.descend_from(state, student, entropies[entropies < self.e0])
            if loss is not None:
                self.recover(student, loss)
        return logits.detach(), {} if loss is None else {"adaptation_loss": loss}

    def climb(self, loss: Tensor) -> None:
        """Move the parameters by epsilon = rho g / |g|, where g is the gradient of a scalar loss (equation 4)."""
        import torch  # noqa: PLC0415

        slopes = torch.autograd.grad(loss, self.trained)
        norm = torch.stack([slope.norm() for slope in slopes]).norm()
        with torch.no_grad():
            for parameter, slope in zip(self.trained, slopes, strict=True):
                parameter.add_(slope * (self.settings.rho / (norm + 1e-12)))

    def descend_from(self, state: Tensor, student: Student, entropies: Tensor) -> float | None:
        """Step from the state (D,) before the climb, along the gradient of the entropies (n,) after it (equation 5).

        Return their mean, or None, without a step, where there are none.
        """
        import torch  # noqa: PLC0415

        loss = entropies.mean()
        slopes = torch.autograd.grad(loss, self.trained) if len(entropies) else None
        with torch.no_grad():
            student.network.model.state.copy_(state)
        if slopes is None:
            return None
        student.optimiser.zero_grad(set_to_none=True)
        for parameter, slope in zip(self.trained, slopes, strict=True):
            parameter.grad = slope
        student.optimiser.step()
        return loss.item()

    def recover(self, student: Student, loss: float) -> None:
        """Follow the loss; once its average is too low, deploy the parameters anew, with a fresh optimiser.

        The average then starts anew too. (The released code means it to, and keeps the old one.)
        """
        self.average = loss if self.average is None else 0.9 * self.average + 0.1 * loss
        if self.average < self.settings.reset_below_nats:
            model = student.network.model
            model.load(student.network.deployed[: model.layout.affine_size])
            student.optimiser.state.clear()
            self.average = None


def _unfrozen(model: AdaptableModel, frozen: tuple[str, ...]) -> list[nn.Parameter]:
    """Return the parameters outside the parts of the network that `frozen` names; InputError where none is left."""
    from models.fitting import SelectedClasses  # noqa: PLC0415

    names = model.layout.names[: len(model.parameters)]
    if isinstance(model.network, SelectedClasses):
        names = tuple(name.removeprefix("network.") for name in names)
    left = [
        parameter
        for name, parameter in zip(names, model.parameters, strict=True)
        if not any(name.startswith(f"{part}.") for part in frozen)
    ]
    if not left:
        raise InputError(
            f"strategy sar: frozen_layers: {', '.join(frozen)}: freezes all normalisation layers of the edge model; "
            f"at least one must stay, of: {', '.join(dict.fromkeys(name.rpartition('.')[0] for name in names))}"
        )
    return left
