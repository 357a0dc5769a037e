from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.datasets import Images
from models.errors import InputError
from models.fitting import fit
from models.flops import forward_flops, training_flops
from models.images import Preparation
from models.normalisation import AdaptableModel

CPU = torch.device("cpu")
CLASSES = np.array([4, 0, 3])


@pytest.fixture
def data(images):
    """Images of three of the five classes of `tiny`."""
    return Images(images(6), np.array([0, 1, 2, 0, 1, 2]), CLASSES)


def test_data_of_all_classes_leave_the_network_alone(tiny, images):
    loaded = tiny()
    fitted = fit(loaded, Images(images(2), np.array([0, 4])))
    assert fitted.network is loaded.network
    assert fitted.num_classes == 5


@pytest.mark.parametrize(("cropped", "resize"), [(True, None), (False, 12)])
def test_the_preparation_knows_whether_images_are_cropped(tiny, images, cropped, resize):
    loaded = replace(tiny(), preparation=Preparation((0.5,), (0.2,), 12, 10))
    fitted = fit(loaded, Images(images(2), np.array([0, 4]), cropped=cropped))
    assert fitted.preparation == Preparation((0.5,), (0.2,), resize, 10)


def test_only_the_data_s_classes_are_answered(tiny, data):
    loaded, x = tiny(), torch.randn(2, 1, 8, 8)
    fitted = fit(loaded, data)
    assert fitted.num_classes == 3
    assert not fitted.network.training
    with torch.no_grad():
        all_logits, logits = loaded.network(x), fitted.network(x)
    assert torch.equal(logits, torch.stack([all_logits[:, 4], all_logits[:, 0], all_logits[:, 3]], 1))


def test_it_adapts_like_the_network_inside(tiny, data):
    model, inside = AdaptableModel(fit(tiny(), data).network, CPU), AdaptableModel(tiny().network, CPU)
    assert model.layout.names == tuple(f"network.{name}" for name in inside.layout.names)
    assert (model.layout.affine_size, model.layout.size) == (inside.layout.affine_size, inside.layout.size)
    x = torch.randn(4, 1, 8, 8)
    for one in (model, inside):
        one.network.train()
    model.network(x).square().sum().backward()
    inside.network(x)[:, torch.from_numpy(CLASSES)].square().sum().backward()
    for parameter, expected in zip(model.parameters, inside.parameters, strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad)


def test_the_same_operations_are_counted(tiny, data):
    model, inside = AdaptableModel(fit(tiny(), data).network, CPU), AdaptableModel(tiny().network, CPU)
    for count in (forward_flops, training_flops):
        assert count(model, (8, 8, 1)) == count(inside, (8, 8, 1))


def test_the_classifier_still_sees_its_features(tiny, data):
    fitted, seen = fit(tiny(), data), []
    classifier = [layer for layer in fitted.network.modules() if isinstance(layer, nn.Linear)][-1]
    classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    with torch.no_grad():
        fitted.network(torch.zeros(2, 1, 8, 8))
    assert seen == [(2, 6)]


def test_a_model_without_the_data_s_classes(tiny, images):
    data = Images(images(2), np.array([0, 1]), np.array([2, 5]))
    with pytest.raises(InputError, match="has 5 classes, but the data's are among 6 or more"):
        fit(tiny(), data)
