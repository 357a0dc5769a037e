import numpy as np
import torch
from torch import nn

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


def test_attention_is_counted_in_evaluation_too():
    """Two layers of a transformer encoder on 16 tokens of 8 numbers: projections, attention and two linear layers."""

    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True)
            self.encoder, self.classifier = nn.TransformerEncoder(layer, 2), nn.Linear(8, 5)

        def forward(self, x):
            return self.classifier(self.encoder(x.flatten(2).transpose(1, 2).expand(-1, -1, 8)).mean(1))

    tokens, width, hidden = 16, 8, 32
    linear = 2 * tokens * width * (3 * width + width + 2 * hidden)
    attention = 2 * 2 * tokens * tokens * width
    model = AdaptableModel(Attending().eval(), torch.device("cpu"))
    assert forward_flops(model, (4, 4, 1)) == 2 * (linear + attention) + 2 * width * 5
