"""Whether a data set and a model fit together, told before a run begins."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.arithmetic import EXACT
from models.datasets import DataSet
from models.errors import InputError
from models.fitting import fit
from models.images import prepare
from models.normalisation import AdaptableModel
from models.sources import LoadedModel


def misfit(data: DataSet, model: LoadedModel, field: str) -> str | None:
    """Return why the model given in a scenario's `field` cannot adapt on the data set's images; None where it can.

    The model comes as it was loaded, and is converted for adaptation on the way.
    """
    try:
        _check_preparation(data, model)
        _check_network(data, model, fit(model, data))
    except InputError as error:
        return f"{field}: {error}"
    return None


def uncomputable(data: DataSet, model: LoadedModel, device: torch.device, field: str) -> str | None:
    """Return why a model cannot be computed with its `arithmetic` on a device; None where it can.

    The model comes as it was loaded, and is converted for adaptation on the way.
    """
    fitted = fit(model, data)
    x = prepare(np.zeros((2, *data.shape), np.uint8), fitted.preparation, device)
    adaptable = AdaptableModel(fitted.network, device, model.arithmetic)
    try:
        with torch.inference_mode():
            adaptable.logits(x)
        adaptable.network.train()
        adaptable.logits(x).sum().backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # compilers and kernels raise what they like
        settings = vars(model.arithmetic).items() - vars(EXACT).items()
        how = " and ".join(sorted(f"{name}: {str(value).lower()}" for name, value in settings))
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return f"{field}: cannot be computed with {how} here ({reason}); leave that out of the scenario"
    return None


def _check_preparation(data: DataSet, model: LoadedModel) -> None:
    channels = data.shape[2]
    means, deviations = len(model.preparation.mean), len(model.preparation.std)
    if not means == deviations == channels:
        count = f"{channels} channel{'s' if channels > 1 else ''}"
        raise InputError(
            f"normalises {means} means and {deviations} deviations, but the images have {count}; "
            f"allowed: a model for images of {count}, or data of as many channels as the model's"
        )


def _check_network(data: DataSet, model: LoadedModel, fitted: LoadedModel) -> None:
    classes = int(data.labels.max()) + 1
    if classes > fitted.num_classes:
        raise InputError(f"has {fitted.num_classes} classes, but the labels go up to {classes - 1}")
    place = torch.device("cpu")
    x = prepare(np.zeros((2, *data.shape), np.uint8), fitted.preparation, place)
    try:
        with torch.inference_mode():
            logits: object = model.network(x)
    except Exception as error:  # the user's own network may raise anything
        raise InputError(f"fails on images of shape {data.shape}: {error}") from error
    if not isinstance(logits, Tensor) or logits.shape != (2, model.num_classes):
        shape = _shape(logits)
        raise InputError(f"must map N images to logits of shape (N, {model.num_classes}), not {shape}")
    adaptable = AdaptableModel(fitted.network, place)
    try:
        adaptable.network.train()(x).sum().backward()
    except Exception as error:  # the user's own network may raise anything
        raise InputError(f"fails in training mode on images of shape {data.shape}: {error}") from error


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
