import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.images import Preparation, prepare
from models.strategies.bn_adaptation import BnAdaptation


def restated(network, x, prior_samples):
    """Predict with the statistics N / (N + n) source + n / (N + n) batch, the variance of the batch biased."""
    n = len(x)

    def renormalise(layer, inputs, _):
        values = inputs[0].transpose(0, 1).flatten(1)
        mean = (prior_samples * layer.running_mean + n * values.mean(1)) / (prior_samples + n)
        var = (prior_samples * layer.running_var + n * values.var(1, correction=0)) / (prior_samples + n)
        shape = (1, -1, 1, 1)
        x_hat = (inputs[0] - mean.view(shape)) / (var.view(shape) + layer.eps).sqrt()
        return x_hat * layer.weight.view(shape) + layer.bias.view(shape)

    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(renormalise)
    with torch.no_grad():
        return network(x)


def prepared(images):
    return prepare(images, Preparation((0.4,), (0.3,)), torch.device("cpu"))


@pytest.mark.parametrize("prior_samples", [0, 3, 16])
def test_the_papers_equation(laboratory, images, tiny, prior_samples):
    device = BnAdaptation(prior_samples=prior_samples).build(laboratory).edge(laboratory.devices[0])
    network = tiny().network
    source = network(prepared(images(8, 0)))
    for seed, count in enumerate((8, 3, 1)):
        batch = images(count, seed)
        logits = device.conclude(device.forward(batch).result()).logits
        torch.testing.assert_close(logits, restated(tiny().network, prepared(batch), prior_samples))
        assert count < 8 or not torch.allclose(logits, source)
    np.testing.assert_array_equal(device.state, laboratory.source_state)


def test_a_strong_prior_leaves_the_source(laboratory, images, tiny):
    device = BnAdaptation(prior_samples=10**9).build(laboratory).edge(laboratory.devices[0])
    with torch.no_grad():
        source = tiny().network(prepared(images(4)))
    torch.testing.assert_close(device.conclude(device.forward(images(4)).result()).logits, source)


def test_the_default_is_for_small_batches():
    assert BnAdaptation().prior_samples == 16
    with pytest.raises(ValidationError, match="prior_samples"):
        BnAdaptation(prior_samples=-1)


def test_it_costs_a_forward_pass(laboratory):
    device = BnAdaptation().build(laboratory).edge(laboratory.devices[0])
    assert device.flops(7) == 7 * laboratory.edge_flops
