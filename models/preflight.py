"""Whether a data set and a model fit together, told before a run begins."""

from __future__ import annotations

import torch
from torch import Tensor

from models.datasets import Images
from models.errors import InputError
from models.images import prepare
from models.sources import LoadedModel


def check_fit(data: Images, model: LoadedModel, name: str) -> None:
    """Raise InputError where the model called `name` cannot classify the data set's images."""
    channels, classes = data.images.shape[3], int(data.labels.max()) + 1
    if not len(model.mean) == len(model.std) == channels:
        raise InputError(
            f"models.{name}: normalises {len(model.mean)} means and {len(model.std)} deviations, but the images have "
            f"{channels} channel{'s' if channels > 1 else ''}"
        )
    if classes > model.num_classes:
        raise InputError(
            f"models.{name}: has {model.num_classes} classes, but the labels go up to {classes - 1}"
        )
    try:
        with torch.inference_mode():
            logits: object = model.network(
                prepare(data.images[:2], model.mean, model.std, torch.device("cpu"))
            )
    except Exception as error:  # the user's own network may raise anything
        raise InputError(
            f"models.{name}: fails on images of shape {data.images.shape[1:]}: {error}"
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != (min(2, len(data.images)), model.num_classes):
        raise InputError(
            f"models.{name}: must map N images to logits of shape (N, {model.num_classes}), not {_shape(logits)}"
        )


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
