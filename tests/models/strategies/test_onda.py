import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.images import Preparation, prepare
from models.strategies.onda import Onda


def restated(network, x, alpha, update_first):
    """Predict a batch, and let the running statistics follow its own, with the unbiased variance."""
    shape = (1, -1, 1, 1)
    followed = []

    def renormalise(layer, inputs, _):
        values = inputs[0].transpose(0, 1).flatten(1)
        n = values.shape[1]
        mean = (1 - alpha) * layer.running_mean + alpha * values.mean(1)
        var = (1 - alpha) * layer.running_var + alpha * n / (n - 1) * values.var(1, correction=0)
        followed.append((layer, mean, var))
        if not update_first:
            mean, var = layer.running_mean, layer.running_var
        x_hat = (inputs[0] - mean.view(shape)) / (var.view(shape) + layer.eps).sqrt()
        return x_hat * layer.weight.view(shape) + layer.bias.view(shape)

    hooks = [layer.register_forward_hook(renormalise) for layer in batch_norms(network)]
    with torch.no_grad():
        logits = network(x)
    for hook in hooks:
        hook.remove()
    for layer, mean, var in followed:
        layer.running_mean, layer.running_var = mean, var
    return logits


def batch_norms(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


def state(network):
    """Return affine parameters, then running statistics, of all layers."""
    layers = batch_norms(network)
    affine = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    running = [tensor for layer in layers for tensor in (layer.running_mean, layer.running_var)]
    return torch.cat(affine + running).detach().numpy()


def prepared(images):
    return prepare(images, Preparation((0.4,), (0.3,)), torch.device("cpu"))


@pytest.mark.parametrize("update_first", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_the_papers_update(laboratory, images, tiny, alpha, update_first):
    settings = Onda(momentum=alpha, update_first=update_first)
    device = settings.build(laboratory).edge(laboratory.devices[0])
    network = tiny().network
    for seed, count in enumerate((8, 3, 1, 8)):
        batch = images(count, seed)
        logits = device.conclude(device.forward(batch).result()).logits
        torch.testing.assert_close(logits, restated(network, prepared(batch), alpha, update_first))
        np.testing.assert_allclose(device.state, state(network), rtol=1e-5, atol=1e-6)
    assert not np.allclose(device.state, laboratory.source_state)


def test_the_first_batch_is_predicted_by_the_source(laboratory, images, tiny):
    device = Onda().build(laboratory).edge(laboratory.devices[0])
    with torch.no_grad():
        source = tiny().network(prepared(images(4)))
    first, second = (device.conclude(device.forward(images(4)).result()).logits for _ in range(2))
    torch.testing.assert_close(first, source)
    assert not torch.allclose(second, source)


def test_the_defaults_are_the_papers():
    assert (Onda().momentum, Onda().update_first) == (0.1, False)
    with pytest.raises(ValidationError, match="momentum"):
        Onda(momentum=0.0)


def test_it_costs_a_forward_pass(laboratory):
    device = Onda().build(laboratory).edge(laboratory.devices[0])
    assert device.flops(7) == 7 * laboratory.edge_flops
