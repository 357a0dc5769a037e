import numpy as np
import pytest
import torch
from torch import nn

from models.errors import InputError
from models.normalisation import AdaptableModel, BatchRenormalisation, Statistics, convert

CPU = torch.device("cpu")
STATISTICS = ("running_mean", "running_var")


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(6, 3, 4, 5, generator=generator) * torch.tensor([1.0, 0.2, 5.0]).view(1, 3, 1, 1) + 2
    ).double()


@pytest.fixture
def layer():
    """A trained layer of three channels, in double precision and training mode."""
    source = nn.BatchNorm2d(3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (source.weight, source.bias, source.running_mean, source.running_var):
            tensor.copy_(torch.rand(3, generator=generator) + 0.5)
    return BatchRenormalisation(source).double().train()


def published(layer, x, correction=1, through_deviation=True):
    """(x - mu_B) / sigma_B * r + d, r and d detached, in plain operations; `correction` 1 is the unbiased variance."""
    shape = (1, 3, 1, 1)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=correction)
    sigma, sigma_run = (var + layer.epsilon).sqrt(), (layer.running_var + layer.epsilon).sqrt()
    r, d = (sigma / sigma_run).detach(), ((mean - layer.running_mean) / sigma_run).detach()
    sigma = sigma if through_deviation else sigma.detach()
    x_hat = (x - mean.view(shape)) / sigma.view(shape) * r.view(shape) + d.view(shape)
    return x_hat * layer.weight.view(shape) + layer.bias.view(shape)


def gradients(output, layer, x):
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output).sin()
    return torch.autograd.grad((output.square() * weights).sum(), (x, layer.weight, layer.bias))


def forward_frozen(layer, x):
    """The layer's output without a change of its running statistics."""
    layer.momentum = 0
    return layer(x)


def test_the_value_is_the_published_one(layer, x):
    expected = published(layer, x)
    torch.testing.assert_close(forward_frozen(layer, x), expected, rtol=0, atol=1e-5)


def test_the_value_is_normalisation_by_the_running_statistics(layer, x):
    shape = (1, 3, 1, 1)
    mean, var = layer.running_mean.view(shape).clone(), layer.running_var.view(shape).clone()
    expected = (x - mean) / (var + 1e-5).sqrt() * layer.weight.view(shape) + layer.bias.view(shape)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("correction", "tolerance"), [(1, 1e-3), (0, 1e-5)])
def test_the_gradients_are_the_published_ones(layer, x, correction, tolerance):
    x.requires_grad_()
    expected = gradients(published(layer, x, correction), layer, x)
    for actual, wanted in zip(gradients(forward_frozen(layer, x), layer, x), expected, strict=True):
        assert (actual - wanted).abs().max() <= tolerance * wanted.abs().max()


@pytest.mark.parametrize("epsilon", [1e-5, 1.0])
def test_how_far_the_gradient_is_from_the_published_one(layer, x, epsilon):
    """Only the share through sigma_B differs, by (v + epsilon (n - 1) / n) / (v + epsilon) for biased variance v."""
    x, layer.epsilon = x[:2, :, :2, :2].clone().requires_grad_(), epsilon
    n, v = 8, x.var((0, 2, 3), correction=0).detach().view(1, 3, 1, 1)
    direct = gradients(published(layer, x, through_deviation=False), layer, x)[0]
    share = gradients(published(layer, x), layer, x)[0] - direct
    expected = direct + share * (v + epsilon * (n - 1) / n) / (v + epsilon)
    actual = gradients(forward_frozen(layer, x), layer, x)[0]
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_running_statistics_follow_after_use_in_training_mode_only(layer, x):
    before = {name: getattr(layer, name).clone() for name in STATISTICS}
    batch = {"running_mean": x.mean((0, 2, 3)), "running_var": x.var((0, 2, 3))}  # the variance unbiased
    layer.eval()(x)
    for name in STATISTICS:
        torch.testing.assert_close(getattr(layer, name), before[name], rtol=0, atol=0)
    expected = published(layer, x)
    torch.testing.assert_close(layer.train()(x), expected)  # used before they move
    for name in STATISTICS:
        torch.testing.assert_close(getattr(layer, name), before[name] + 0.1 * (batch[name] - before[name]))


def test_first_takes_the_statistics_of_one_batch(layer, x):
    for mode in (False, True):
        layer.train(mode).statistics = Statistics.FIRST
        y = layer(x)
        assert layer.statistics == Statistics.RUNNING
        torch.testing.assert_close(layer.running_mean, x.mean((0, 2, 3)))
        torch.testing.assert_close(layer.running_var, x.var((0, 2, 3)))
        torch.testing.assert_close(y, published(layer, x))
    torch.testing.assert_close(layer.eval()(2 * x), published(layer, 2 * x))


def test_batch_uses_those_of_each_batch_and_keeps_none(layer, x):
    layer.eval().statistics = Statistics.BATCH
    before = layer.running_mean.clone()
    expected = nn.functional.batch_norm(x, None, None, layer.weight, layer.bias, training=True)
    torch.testing.assert_close(layer(x), expected)
    assert layer.statistics == Statistics.BATCH
    torch.testing.assert_close(layer.running_mean, before, rtol=0, atol=0)


@pytest.mark.parametrize("used", [0.1, 0.5])
def test_blended_statistics_are_not_kept(layer, x, used):
    layer.eval().statistics = Statistics(used, 0)
    mean = (1 - used) * layer.running_mean + used * x.mean((0, 2, 3))
    var = (1 - used) * layer.running_var + used * x.var((0, 2, 3), correction=0)
    before = layer.running_mean.clone()
    expected = nn.functional.batch_norm(x, mean, var, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.running_mean, before, rtol=0, atol=0)


def test_moving_statistics_are_used_and_kept(layer, x):
    layer.eval().statistics = Statistics(0.1, 0.1)
    mean = 0.9 * layer.running_mean + 0.1 * x.mean((0, 2, 3))
    y = layer(x)
    torch.testing.assert_close(layer.running_mean, mean)
    torch.testing.assert_close(y, published(layer, x))


def test_observed_statistics_change_nothing_but_the_running_ones(layer, x):
    layer.eval().statistics = Statistics.OBSERVED
    expected = published(layer, x)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(layer.running_var, x.var((0, 2, 3)))


def test_training_on_the_batch_alone_is_plain_batch_normalisation(layer, x):
    plain = nn.BatchNorm2d(layer.weight.numel(), eps=layer.epsilon).to(x.dtype)
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias}, strict=False)
    layer.train().statistics = Statistics.BATCH
    before = layer.running_var.clone()
    for module in (layer, plain):
        (module(x) ** 3).sum().backward()
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)
    torch.testing.assert_close(layer.bias.grad, plain.bias.grad)
    torch.testing.assert_close(layer.running_var, before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3)])
def test_training_on_a_single_value_a_channel_leaves_the_bias(shape):
    source = nn.BatchNorm2d(3) if len(shape) == 4 else nn.BatchNorm1d(3)
    single = BatchRenormalisation(source).train()
    single.statistics = Statistics.BATCH
    y = single(torch.randn(shape))
    y.sum().backward()
    torch.testing.assert_close(y.flatten(), single.bias)
    assert (single.bias.grad == 1).all()


def test_features_are_the_classifiers_input(tiny):
    model = AdaptableModel(tiny().network, CPU)
    x = torch.randn(3, 1, 8, 8)
    with torch.no_grad(), model.features() as collected:
        logits = model.network(x)
    torch.testing.assert_close(model.classifier(collected[0]), logits)
    model.network(x)
    assert len(collected) == 1


def test_a_network_without_a_linear_layer_has_no_features():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(InputError, match="linear layer"):
        _ = AdaptableModel(network, CPU).classifier


def test_one_sample_of_several_pixels_is_enough(layer, x):
    for statistics in (Statistics.RUNNING, Statistics.BATCH, Statistics.FIRST, Statistics.OBSERVED):
        layer.eval().statistics = statistics
        assert layer(x[:1]).isfinite().all()


@pytest.mark.parametrize(
    "statistics", [Statistics.RUNNING, Statistics.BATCH, Statistics.FIRST, Statistics.OBSERVED]
)
def test_one_value_a_channel_can_be_predicted(statistics):
    """A batch of one whose image has shrunk to one pixel, as in the last stage of a ResNet on 32 x 32 pixels."""
    layer = BatchRenormalisation(nn.BatchNorm2d(3)).eval()
    layer.statistics = statistics
    assert layer(torch.randn(1, 3, 1, 1)).isfinite().all()


def test_a_layer_without_affine_parameters_gets_neutral_ones():
    layer = BatchRenormalisation(nn.BatchNorm2d(2, affine=False))
    assert (layer.weight.tolist(), layer.bias.tolist()) == ([1, 1], [0, 0])


def test_a_layer_without_running_statistics_is_refused():
    with pytest.raises(InputError, match="without running statistics"):
        BatchRenormalisation(nn.BatchNorm2d(2, track_running_stats=False))


def test_a_converted_network_predicts_as_before(tiny):
    x = torch.randn(4, 1, 8, 8)
    network = tiny().network
    with torch.no_grad():
        expected = network(x)
        converted = convert(network)
        torch.testing.assert_close(converted(x), expected)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in converted.modules())
    assert isinstance(converted.stages[1].shortcut[1], BatchRenormalisation)


def test_affine_parameters_come_before_statistics(tiny):
    layout = AdaptableModel(tiny().network, CPU).layout
    kinds = [name.rsplit(".", 1)[1] for name in layout.names]
    assert kinds == ["weight", "bias"] * 6 + ["running_mean", "running_var"] * 6
    assert layout.names[:2] == ("stem.1.weight", "stem.1.bias")
    channels = 3 * 4 + 3 * 6
    assert (layout.affine_size, layout.size) == (2 * channels, 4 * channels)
    assert [piece.start for piece in layout.pieces[1:]] == [piece.stop for piece in layout.pieces[:-1]]
    assert (layout.pieces[0], layout.pieces[-1].stop) == (slice(0, 4), layout.size)
    assert layout.affine_pieces == layout.pieces[:12]


def test_the_state_is_shared_with_the_layers(tiny):
    model = AdaptableModel(tiny().network, CPU)
    tensors = dict(model.network.named_parameters()) | dict(model.network.named_buffers())
    model.load(np.arange(model.layout.size, dtype=np.float32))
    for name, piece in zip(model.layout.names, model.layout.pieces, strict=True):
        assert tensors[name].tolist() == list(range(piece.start, piece.stop))
    with torch.no_grad():
        tensors["stem.1.weight"][0] = -5
    assert model.read()[0] == -5


def test_load_and_read_round_trip(tiny):
    model = AdaptableModel(tiny().network, CPU)
    state = np.random.default_rng(0).normal(size=model.layout.size).astype(np.float32)
    model.load(state)
    read = model.read()
    np.testing.assert_array_equal(read, state)
    read[:] = 0  # a copy
    np.testing.assert_array_equal(model.read(), state)


def test_an_affine_state_leaves_the_statistics(tiny):
    model = AdaptableModel(tiny().network, CPU)
    before, size = model.read(), model.layout.affine_size
    model.load(np.full(size, 7, np.float32))
    assert (model.read()[:size] == 7).all()
    np.testing.assert_array_equal(model.read()[size:], before[size:])


def test_only_affine_parameters_are_trained(tiny):
    model = AdaptableModel(tiny().network, CPU)
    trained = [name for name, p in model.network.named_parameters() if p.requires_grad]
    assert trained == sorted(trained, key=model.layout.names.index) == list(model.layout.names[:12])
    before = {name: p.clone() for name, p in model.network.named_parameters()}
    model.network.train()
    model.network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    torch.optim.SGD(model.parameters, 0.1).step()
    changed = {name for name, p in model.network.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(trained)
    np.testing.assert_array_equal(model.read()[:4], model.network.stem[1].weight.detach().numpy())


def test_use_reaches_every_layer(tiny):
    model = AdaptableModel(tiny().network, CPU)
    model.use(Statistics.FIRST, momentum=0.3)
    layers = [layer for layer in model.network.modules() if isinstance(layer, BatchRenormalisation)]
    assert len(layers) == 6
    assert {(layer.statistics, layer.momentum) for layer in layers} == {(Statistics.FIRST, 0.3)}


def test_layer_and_group_norm_have_no_statistics():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.GroupNorm(2, 4),
        nn.Flatten(),
        nn.LayerNorm(4 * 36, bias=False),
        nn.Linear(144, 5),
    )
    model = AdaptableModel(network, CPU)
    assert model.layout.names == ("1.weight", "1.bias", "3.weight")
    assert model.layout.affine_size == model.layout.size == 4 + 4 + 144
    model.load(np.zeros(152, np.float32))
    assert network(torch.randn(2, 1, 8, 8))[0].tolist() == network[4].bias.tolist()


def test_a_layer_norm_without_parameters_is_skipped():
    network = nn.Sequential(nn.LayerNorm(3, elementwise_affine=False), nn.LayerNorm(3))
    assert AdaptableModel(network, CPU).layout.names == ("1.weight", "1.bias")


def test_nothing_to_adapt():
    with pytest.raises(InputError, match="no normalisation layer with affine parameters"):
        AdaptableModel(nn.Linear(2, 2), CPU)


def test_a_layer_that_writes_its_statistics_leaves_anothers_gradient_alone():
    layers = [nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.LayerNorm(16)]
    model = AdaptableModel(nn.Sequential(*layers), CPU)
    model.network.train()(torch.randn(2, 3, 4, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters)


@pytest.mark.parametrize("statistics", [Statistics.FIRST, Statistics.OBSERVED, Statistics(0.1, 0.1)])
def test_a_single_value_a_channel_leaves_the_running_variance(statistics):
    single = BatchRenormalisation(nn.BatchNorm2d(3)).eval()
    single.running_var.fill_(4.0)
    single.statistics = statistics
    x = torch.randn(1, 3, 1, 1)
    single(x)
    assert (single.running_var == 4).all()
    torch.testing.assert_close(single.running_mean, statistics.kept * x.flatten())


def test_a_variance_that_arrived_a_little_below_zero_is_zero(layer, x):
    layer.eval().running_var[0] = -0.01
    y = layer(x)
    layer.running_var[0] = 0.0
    torch.testing.assert_close(y, layer(x))
    assert y.isfinite().all()
