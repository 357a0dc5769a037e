import numpy as np
import pytest
from torch import nn

from models.datasets import Images
from models.images import Preparation
from models.preflight import misfit
from models.sources import LoadedModel

LABELS = np.array([0, 4, 2])


@pytest.fixture
def data(images):
    return Images(images(3), LABELS)


def test_a_model_that_fits(data, tiny):
    assert misfit(data, tiny(), "models.edge") is None


def test_one_image_is_enough(images, tiny):
    assert misfit(Images(images(1), LABELS[:1]), tiny(), "models.edge") is None


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
