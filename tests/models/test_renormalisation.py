import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.renormalisation import batch_statistics, renormalise

EPSILON = 1e-5


def naive(x, weight, bias, running_mean, running_var, unbiased):
    """The layer written out, in elementary operations."""
    axes, shape = [axis for axis in range(x.ndim) if axis != 1], (1, -1, *[1] * (x.ndim - 2))
    mean, var = x.mean(axes).view(shape), x.var(axes, unbiased=unbiased).view(shape)
    sigma, sigma_running = (var + EPSILON).sqrt(), (running_var.view(shape) + EPSILON).sqrt()
    r, d = (sigma / sigma_running).detach(), ((mean - running_mean.view(shape)) / sigma_running).detach()
    return ((x - mean) / sigma * r + d) * weight.view(shape) + bias.view(shape)


def drawn(shape, seed, dtype=torch.float64):
    """An input, affine parameters and running statistics."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*sizes):
        return torch.randn(*sizes, generator=generator, dtype=dtype)

    channels = shape[1]
    x = (normal(*shape) * 3 + normal(1, channels, *[1] * (len(shape) - 2))).requires_grad_()
    weight, bias = normal(channels).requires_grad_(), normal(channels).requires_grad_()
    return x, weight, bias, normal(channels), normal(channels).square() + 0.1


def gradients(y, inputs, seed):
    """Of a sum in which every value counts differently."""
    factors = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed), dtype=y.dtype)
    return torch.autograd.grad((y * factors).sum(), inputs)


@given(
    samples=st.integers(2, 5),
    size=st.sampled_from([(), (3,), (2, 4)]),
    seed=st.integers(0, 10**6),
    channels_last=st.booleans(),
)
def test_values_and_gradients_are_those_of_the_layer_written_out(samples, size, seed, channels_last):
    """With the biased deviation in both, all gradients are equal."""
    x, *others, mean, var = drawn((samples, 3, *size), seed)
    if channels_last and x.ndim == 4:
        x = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    inputs = (x, *others)
    y = renormalise(*inputs, (mean, var), batch_statistics(x), EPSILON)
    expected = naive(*inputs, mean, var, unbiased=False)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    for found, wanted in zip(gradients(y, inputs, seed), gradients(expected, inputs, seed), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-9)


def test_the_published_form_differs_by_the_factor_of_the_variances():
    """In the gradient of x alone: in the share that flows through sigma_B, by less than eps / v."""
    x, weight, bias, mean, var = drawn((4, 3, 5, 5), 0)
    inputs = (x, weight, bias)
    ours = gradients(renormalise(*inputs, (mean, var), batch_statistics(x), EPSILON), inputs, 1)
    published = gradients(naive(*inputs, mean, var, unbiased=True), inputs, 1)
    n, v = x.numel() / 3, x.var((0, 2, 3), unbiased=False)
    sigma_running = (var + EPSILON).sqrt()
    x_hat = (x - x.mean((0, 2, 3), keepdim=True)) / (v + EPSILON).sqrt().view(1, -1, 1, 1)
    factors = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    through_sigma = x_hat * (factors * x_hat).mean((0, 2, 3), keepdim=True)
    through_sigma = through_sigma * (weight / sigma_running).view(1, -1, 1, 1)
    factor = ((v + EPSILON * (n - 1) / n) / (v + EPSILON)).view(1, -1, 1, 1)
    # v n / (n - 1) + eps is the published variance; the share is scaled by v_biased + eps over n / (n - 1) of it.
    torch.testing.assert_close(ours[0] - published[0], (1 / factor - 1) * through_sigma, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(ours[2], published[2])


def test_no_gradient_where_none_is_wanted():
    x, weight, bias, mean, var = drawn((4, 3, 5, 5), 0)
    y = renormalise(x.detach(), weight, bias, (mean, var), batch_statistics(x), EPSILON)
    assert all(gradient is not None for gradient in torch.autograd.grad(y.sum(), (weight, bias)))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 7), (4, 3, 5, 6)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_statistics_of_the_batch(shape, channels_last):
    x = drawn(shape, 3, torch.float32)[0]
    if channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    mean, variance = batch_statistics(x)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    torch.testing.assert_close(mean, x.detach().mean(axes))
    torch.testing.assert_close(variance, x.detach().var(axes, unbiased=False))
    assert not mean.requires_grad
