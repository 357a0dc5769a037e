"""Whether a data set and a model fit together, told before a run begins."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.datasets import DataSet
from models.errors import InputError
from models.images import prepare
from models.normalisation import AdaptableModel
from models.sources import LoadedModel


def misfit(data: DataSet, model: LoadedModel, field: str) -> str | None:
    """Return why the model given in a scenario's `field` cannot adapt on the data set's images; None where it can.

    The model is converted for adaptation on the way.
    """
    channels, classes = data.shape[2], int(data.labels.max()) + 1
    preparation = model.preparation
    if not len(preparation.mean) == len(preparation.std) == channels:
        return (
            f"{field}: normalises {len(preparation.mean)} means and {len(preparation.std)} deviations, but the "
            f"images have {channels} channel{'s' if channels > 1 else ''}"
        )
    if classes > model.num_classes:
        return f"{field}: has {model.num_classes} classes, but the labels go up to {classes - 1}"
    place = torch.device("cpu")
    images = np.zeros((2, *data.shape), np.uint8)
    try:
        with torch.inference_mode():
            logits: object = model.network(prepare(images, preparation, place))
    except Exception as error:  # the user's own network may raise anything
        return f"{field}: fails on images of shape {data.shape}: {error}"
    expected = (2, model.num_classes)
    if not isinstance(logits, Tensor) or logits.shape != expected:
        return f"{field}: must map N images to logits of shape (N, {model.num_classes}), not {_shape(logits)}"
    try:
        AdaptableModel(model.network, place)
    except InputError as error:
        return f"{field}: {error}"
    return None


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
