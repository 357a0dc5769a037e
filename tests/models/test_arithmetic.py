import shutil
from copy import deepcopy

import pytest
import torch

from models.arithmetic import EXACT, Arithmetic
from models.mixture import Mixture
from models.normalisation import AdaptableModel, Statistics

CPU = torch.device("cpu")
COMPILED = Arithmetic(compiled=True)


@pytest.fixture
def x():
    return torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def compilations(monkeypatch):
    """The networks that were compiled, with the sizes of the passes that the result was called with."""
    found = []

    def pretend(network, dynamic):
        assert dynamic
        sizes = []
        found.append((network, sizes))
        return lambda x: sizes.append(len(x)) or network(x)

    monkeypatch.setattr(torch, "compile", pretend)
    return found


def test_less_precise_passes_round_to_three_digits(tiny, x):
    exact = AdaptableModel(tiny().network, CPU).logits(x)
    rounded = AdaptableModel(tiny().network, CPU, Arithmetic("bfloat16")).logits(x)
    assert (exact.dtype, rounded.dtype) == (torch.float32, torch.float32)
    assert 0 < (rounded - exact).abs().max() < 0.03 * exact.abs().max()


@pytest.mark.parametrize("statistics", [Statistics.FIRST, Statistics.RUNNING, Statistics.BATCH])
def test_less_precise_steps_learn_much_the_same(tiny, x, statistics):
    gradients = []
    for arithmetic in (EXACT, Arithmetic("bfloat16")):
        model = AdaptableModel(tiny().network, CPU, arithmetic)
        model.use(statistics)
        model.network.train()
        model.logits(x).square().mean().backward()
        assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters)
        assert model.state.dtype == torch.float32
        gradients.append(torch.cat([parameter.grad for parameter in model.parameters]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99


@pytest.mark.parametrize("sizes", [[2, 4], [3, 3]])
@pytest.mark.parametrize("statistics", [Statistics.RUNNING, Statistics.BATCH, Statistics.FIRST])
def test_less_precise_mixtures_agree_with_passes_one_by_one(tiny, x, statistics, sizes):
    model = AdaptableModel(tiny().network, CPU, Arithmetic("bfloat16"))
    states = [model.read(), model.read() * 1.1]
    with torch.inference_mode(), Mixture(model, states, sizes, statistics).active():
        together = model.logits(x)
    alone = []
    for state, part in zip(states, x.split(sizes), strict=True):
        model.load(state)
        model.use(statistics)
        with torch.inference_mode():
            alone.append(model.logits(part))
    torch.testing.assert_close(together, torch.cat(alone), rtol=0.03, atol=0.03 * float(together.abs().max()))


def test_passes_by_running_statistics_are_compiled_once(tiny, x, compilations):
    model = AdaptableModel(tiny().network, CPU, COMPILED)
    expected = AdaptableModel(tiny().network, CPU).logits(x)
    assert torch.equal(model.logits(x), expected)
    model.logits(x[:3])
    assert compilations == [(model.network, [6, 3])]


def test_what_computes_something_else_is_not_compiled(tiny, x, compilations):
    model = AdaptableModel(tiny().network, CPU, COMPILED)
    with torch.inference_mode(), Mixture(model, [model.read()] * 2, [3, 3], Statistics.RUNNING).active():
        model.logits(x)
    with model.features():
        model.logits(x)
    model.use(Statistics.BATCH)
    model.logits(x)
    model.use(Statistics.RUNNING)
    model.network.train()
    model.logits(x)
    assert compilations == []


def test_a_copy_is_compiled_anew(tiny, x, compilations):
    model = AdaptableModel(tiny().network, CPU, COMPILED)
    model.logits(x)
    copied = deepcopy(model)
    copied.state.mul_(1.1)
    assert not torch.equal(copied.logits(x), model.logits(x))
    assert [network for network, _ in compilations] == [model.network, copied.network]


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs a C++ compiler")
def test_compiled_passes_agree_and_follow_the_state(tiny, x):
    exact, model = (AdaptableModel(tiny().network, CPU, arithmetic) for arithmetic in (EXACT, COMPILED))
    for factor in (1.0, 1.2):
        for each in (exact, model):
            each.state.mul_(factor)
        with torch.inference_mode():
            torch.testing.assert_close(model.logits(x), exact.logits(x), rtol=0, atol=1e-5)
