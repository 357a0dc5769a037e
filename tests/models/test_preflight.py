import re

import numpy as np
import pytest
from torch import nn

from models.datasets import Images
from models.errors import InputError
from models.preflight import check_fit
from models.sources import LoadedModel

LABELS = np.array([0, 4, 2])


@pytest.fixture
def data(images):
    return Images(images(3), LABELS)


def test_a_model_that_fits(data, tiny):
    check_fit(data, tiny(), "edge")


def test_one_image_is_enough(images, tiny):
    check_fit(Images(images(1), LABELS[:1]), tiny(), "edge")


@pytest.mark.parametrize(
    ("network", "num_classes", "mean", "message"),
    [
        (None, 4, (0.5,), "models.edge: has 4 classes, but the labels go up to 4"),
        (
            None,
            5,
            (0.5,) * 3,
            "models.edge: normalises 3 means and 1 deviations, but the images have 1 channel",
        ),
        (None, 6, (0.5,), "models.edge: must map N images to logits of shape (N, 6), not (2, 5)"),
        (nn.Conv2d(3, 5, 1), 5, (0.5,), "models.edge: fails on images of shape (8, 8, 1): "),
        (
            nn.Conv2d(1, 5, 1),
            5,
            (0.5,),
            "models.edge: must map N images to logits of shape (N, 5), not (2, 5, 8, 8)",
        ),
    ],
)
def test_models_that_do_not_fit(data, tiny, network, num_classes, mean, message):
    model = LoadedModel(network or tiny().network, num_classes, mean, (0.2,))
    with pytest.raises(InputError, match=re.escape(message)):
        check_fit(data, model, "edge")
