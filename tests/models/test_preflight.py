from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.arithmetic import Arithmetic
from models.datasets import Images
from models.images import Preparation
from models.preflight import misfit, uncomputable
from models.sources import LoadedModel

LABELS = np.array([0, 4, 2])


@pytest.fixture
def data(images):
    return Images(images(3), LABELS)


def test_a_model_that_fits(data, tiny):
    assert misfit(data, tiny(), "models.edge") is None


def test_an_arithmetic_that_a_model_can_have(data, tiny):
    rounded = replace(tiny(), arithmetic=Arithmetic("bfloat16"))
    assert uncomputable(data, rounded, torch.device("cpu"), "models.edge") is None


def test_an_arithmetic_that_cannot_be_had(data, tiny, monkeypatch):
    def fail(network, dynamic):
        raise RuntimeError("no compiler\nwhatever else there is to say")

    monkeypatch.setattr(torch, "compile", fail)
    compiled = replace(tiny(), arithmetic=Arithmetic(compiled=True))
    assert uncomputable(data, compiled, torch.device("cpu"), "models.edge") == (
        "models.edge: cannot be computed with compiled: true here (no compiler); leave that out of the scenario"
    )


def test_one_image_is_enough(images, tiny):
    assert misfit(Images(images(1), LABELS[:1]), tiny(), "models.edge") is None


def test_data_of_some_classes(images, tiny):
    some = Images(images(3), np.array([0, 1, 0]), np.array([4, 2]))
    assert misfit(some, tiny(), "models.edge") is None
    few = replace(tiny(), num_classes=4)
    told = misfit(some, few, "models.edge")
    assert told is not None
    assert told.startswith("models.edge: has 4 classes, but the data's are among 5 or more")


def test_images_are_resized_for_the_model(data):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 5)).eval()
    sized = LoadedModel(network, 5, Preparation((0.5,), (0.2,), 6, 4))
    assert misfit(data, sized, "models.edge") is None


def test_grey_images_and_a_model_of_colour(data, tiny):
    told = misfit(data, replace(tiny(), preparation=Preparation((0.5,) * 3, (0.2,) * 3)), "models.edge")
    assert told == (
        "models.edge: normalises 3 means and 3 deviations, but the images have 1 channel; allowed: a model for images "
        "of 1 channel, or data of as many channels as the model's"
    )


class TwoHeads(nn.Module):
    """Returns more than logits in training mode, as networks with auxiliary heads do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = flat(nn.BatchNorm1d(5))

    def forward(self, x):
        logits = self.body(x)
        return (logits, logits) if self.training else logits


def test_a_model_that_only_predicts(data):
    told = misfit(data, LoadedModel(TwoHeads().eval(), 5, Preparation((0.5,), (0.2,))), "models.edge")
    assert told is not None
    assert told.startswith("models.edge: fails in training mode on images of shape (8, 8, 1): ")


def flat(*tail):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5), *tail)


@pytest.mark.parametrize(
    ("network", "num_classes", "mean", "message"),
    [
        (None, 4, (0.5,), "has 4 classes, but the labels go up to 4"),
        (None, 5, (0.5,) * 3, "normalises 3 means and 1 deviations, but the images have 1 channel"),
        (None, 6, (0.5,), "must map N images to logits of shape (N, 6), not (2, 5)"),
        (nn.Conv2d(3, 5, 1), 5, (0.5,), "fails on images of shape (8, 8, 1): "),
        (nn.Conv2d(1, 5, 1), 5, (0.5,), "must map N images to logits of shape (N, 5), not (2, 5, 8, 8)"),
        (nn.LSTM(8, 5), 5, (0.5,), "fails on images of shape (8, 8, 1): "),
        (flat(), 5, (0.5,), "the model has no normalisation layer with affine parameters to adapt"),
        (
            flat(nn.BatchNorm1d(5, track_running_stats=False)),
            5,
            (0.5,),
            "a batch normalisation layer without running statistics cannot be adapted",
        ),
    ],
)
def test_models_that_do_not_fit(data, tiny, network, num_classes, mean, message):
    model = LoadedModel((network or tiny().network).eval(), num_classes, Preparation(mean, (0.2,)))
    told = misfit(data, model, "models.edge")
    assert told is not None
    assert told.startswith(f"models.edge: {message}")
