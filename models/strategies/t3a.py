"""T3A: test-time classifier adjustment (Iwasawa and Matsuo, NeurIPS 2021, https://openreview.net/forum?id=e_yvNqkJKAW).

The classifier's weights give way to prototypes: the mean direction of the features that were predicted as a class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.errors import InputError
from models.strategies._forward_only import OutputMethod, OutputSettings

if TYPE_CHECKING:
    from torch import Tensor

    from models.executor import Forward
    from models.strategies._interface import Laboratory


class T3a(OutputSettings):
    """Every device adjusts its own classifier and sends nothing."""

    name: Literal["t3a"] = "t3a"
    supports_per_class: Annotated[int, Field(ge=1)] | None = 20
    """M (`filter_K` in the authors' code): the features of the lowest entropy that stay as a class's supports.

    null keeps all of them, for ever. The paper chooses among 1, 5, 20, 50, 100 and all for each data set.
    """

    def method(self, laboratory: Laboratory) -> ClassifierAdjustment:
        """Return the method for one device; InputError where the edge model has no linear classifier."""
        return ClassifierAdjustment(self, laboratory)


class ClassifierAdjustment(OutputMethod):
    """The method on one device.

    Attributes:
        supports: features of length 1, float32 (M, F); at first the weights of each class.
        labels: the class of each support, int64 (M,): a weight's own, a feature's as the network predicts it.
        entropies: of the network's prediction for each support, in nats, float32 (M,).

    """

    def __init__(self, settings: T3a, laboratory: Laboratory) -> None:
        import torch  # noqa: PLC0415
        from torch.nn import functional as F  # noqa: PLC0415

        from models.entropy import entropy  # noqa: PLC0415

        super().__init__(settings)
        self.supports_per_class = settings.supports_per_class
        weights, biases = classifier(settings, laboratory)
        self.num_classes = len(weights)
        self.supports = F.normalize(weights, dim=1)
        self.labels = torch.arange(self.num_classes)
        self.entropies = entropy(weights @ weights.T + biases)

    def flops(self, samples: int) -> int:
        """Return the operations of the prototypes, M F additions, and of the features' products with them, 2 N F C."""
        supports, feature_size = self.supports.shape
        return (supports + samples) * feature_size + 2 * samples * feature_size * self.num_classes

    def predict(self, forward: Forward) -> Tensor:
        """Take the batch's features among the supports, then return the adjusted logits, float32 (N, C)."""
        assert forward.features is not None
        self.add(forward.features, forward.logits)
        return forward.features @ self.prototypes().T

    def add(self, features: Tensor, logits: Tensor) -> None:
        """Add features (N, F) to the supports of the classes that logits (N, C) predict; keep the most certain."""
        import torch  # noqa: PLC0415
        from torch.nn import functional as F  # noqa: PLC0415

        from models.entropy import entropy  # noqa: PLC0415

        self.supports = torch.cat([self.supports, F.normalize(features, dim=1)])
        self.labels = torch.cat([self.labels, logits.argmax(1)])
        self.entropies = torch.cat([self.entropies, entropy(logits)])
        if self.supports_per_class is not None:
            self._filter(self.supports_per_class)

    def _filter(self, count: int) -> None:
        import torch  # noqa: PLC0415

        by_entropy = self.entropies.argsort(stable=True)
        order = by_entropy[self.labels[by_entropy].argsort(stable=True)]
        labels = self.labels[order]
        rank = torch.arange(len(order)) - torch.searchsorted(labels, labels)
        kept = order[rank < count]
        self.supports, self.labels, self.entropies = (
            self.supports[kept],
            self.labels[kept],
            self.entropies[kept],
        )

    def prototypes(self) -> Tensor:
        """Return the mean direction of each class's supports, float32 (C, F), of length 1 as in the authors' code."""
        from torch.nn import functional as F  # noqa: PLC0415

        sums = self.supports.new_zeros(self.num_classes, self.supports.shape[1])
        return F.normalize(sums.index_add_(0, self.labels, self.supports), dim=1)


def classifier(settings: T3a, laboratory: Laboratory) -> tuple[Tensor, Tensor]:
    """Return weights (C, F) and biases (C,) of the classes that the logits are of; InputError where that fails."""
    from models.fitting import SelectedClasses  # noqa: PLC0415

    layer, network = laboratory.edge.classifier, laboratory.edge.network
    weights = layer.weight.detach().cpu()
    biases = weights.new_zeros(len(weights)) if layer.bias is None else layer.bias.detach().cpu()
    if isinstance(network, SelectedClasses):
        classes = network.classes.cpu()
        weights, biases = weights[classes], biases[classes]
    if len(weights) != laboratory.edge_source.num_classes:
        raise InputError(
            f"{settings.label or settings.name}: the edge model's last linear layer has {len(weights)} outputs for "
            f"{laboratory.edge_source.num_classes} classes; allowed: a model that ends in a linear classifier"
        )
    return weights, biases
