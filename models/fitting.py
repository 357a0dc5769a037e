"""Making a model fit a data set: how much of an image it sees, and which of its classes count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.datasets import DataSet
from models.errors import InputError
from models.sources import LoadedModel


class SelectedClasses(nn.Module):
    """A classifier whose logits are those of some of its classes, in the order given.

    The network itself runs as it is, classifier included, so that its features and its operations stay the same.

    Attributes:
        network: maps its input to logits (N, C).
        classes: int64 (c,), each in [0, C).

    """

    classes: Tensor

    def __init__(self, network: nn.Module, classes: NDArray[np.int64]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("classes", torch.tensor(classes), persistent=False)
        self.train(network.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map the network's input to logits (N, c)."""
        logits: Tensor = self.network(x)
        return logits[:, self.classes]


def fit(loaded: LoadedModel, data: DataSet) -> LoadedModel:
    """Return the model as it is to be run on a data set; InputError where it lacks some of the data's classes."""
    preparation = loaded.preparation.for_data(data.cropped)
    if data.classes is None:
        return replace(loaded, preparation=preparation)
    highest = int(data.classes.max())
    if highest >= loaded.num_classes:
        raise InputError(
            f"has {loaded.num_classes} classes, but the data's are among {highest + 1} or more; "
            "allowed: a model of all the classes that the data's were chosen from"
        )
    return replace(
        loaded,
        network=SelectedClasses(loaded.network, data.classes),
        num_classes=len(data.classes),
        preparation=preparation,
    )
