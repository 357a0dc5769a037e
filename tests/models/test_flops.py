import numpy as np
import torch

from models.flops import forward_flops, training_flops
from models.normalisation import AdaptableModel

CPU = torch.device("cpu")


def convolution(channels_in, channels_out, kernel, size):
    """Operations of a convolution whose output is size x size: two for each multiplication and addition."""
    return 2 * channels_in * channels_out * kernel**2 * size**2


STEM = convolution(1, 4, 3, 8)
REST = (
    2 * convolution(4, 4, 3, 8)
    + convolution(4, 6, 3, 4)
    + convolution(6, 6, 3, 4)
    + convolution(4, 6, 1, 4)
    + 2 * 6 * 5  # the classifier
)


def test_a_forward_pass(tiny):
    assert forward_flops(AdaptableModel(tiny().network, CPU), (8, 8, 1)) == STEM + REST


def test_training_adds_the_gradient_by_the_input_of_all_but_the_first_layer(tiny):
    """Weights are frozen, and nothing before the first normalisation layer needs a gradient."""
    assert training_flops(AdaptableModel(tiny().network, CPU), (8, 8, 1)) == STEM + 2 * REST


def test_counting_leaves_the_model_as_it_was(tiny):
    model = AdaptableModel(tiny().network, CPU)
    before = model.read()
    training_flops(model, (8, 8, 1))
    np.testing.assert_array_equal(model.read(), before)
    assert not model.network.training
    assert all(parameter.grad is None for parameter in model.parameters)
    assert all(
        torch.equal(p, model.state[s]) for p, s in zip(model.parameters, model.layout.pieces, strict=False)
    )
