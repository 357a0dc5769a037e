import pytest
import torch
from torch import nn
from torchvision.models.convnext import LayerNorm2d

from models.mixture import Mixture, can_mix
from models.normalisation import AdaptableModel, Statistics

CPU = torch.device("cpu")


class Activated(nn.LayerNorm):
    """A kind of its own, which ends in something else than scale and shift."""

    def forward(self, x):
        return super().forward(x).relu()


class Rows(nn.Module):
    """Turns images (N, C, H, W) into rows (N, H W, C)."""

    def forward(self, x):
        return x.flatten(2).transpose(1, 2)


class MeanOfRows(nn.Module):
    def forward(self, x):
        return x.mean(1)


def network(*layers, rows=False):
    """A small network from images of one channel to five logits, with these layers on eight channels."""
    torch.manual_seed(0)
    way = [Rows(), *layers, MeanOfRows()] if rows else [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return AdaptableModel(nn.Sequential(nn.Conv2d(1, 8, 3), *way, nn.Linear(8, 5)), CPU)


NETWORKS = {
    "batch": lambda: network(nn.BatchNorm2d(8)),
    "group": lambda: network(nn.GroupNorm(2, 8)),
    "layer": lambda: network(nn.LayerNorm(8), rows=True),
    "layer without bias": lambda: network(nn.LayerNorm(8, bias=False), rows=True),
    "layer on images": lambda: network(LayerNorm2d(8)),
    "several": lambda: network(nn.BatchNorm2d(8), nn.ReLU(), nn.GroupNorm(4, 8)),
}


def versions(model, count):
    """Normalisation states with positive variances, each its own."""
    generator = torch.Generator().manual_seed(1)
    return [
        (model.state.detach() * (1 + 0.3 * torch.rand(model.state.shape, generator=generator))).numpy()
        for _ in range(count)
    ]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "statistics", [Statistics.RUNNING, Statistics.BATCH, Statistics.FIRST, Statistics(0.4, 0.2)]
)
def test_each_sample_is_normalised_with_its_own_requests_state(kind, statistics):
    model = NETWORKS[kind]()
    states, sizes = versions(model, 4), (2, 2, 1, 3)
    x = torch.randn(sum(sizes), 1, 6, 6, generator=torch.Generator().manual_seed(2))
    mixture = Mixture(model, states, sizes, statistics)
    with torch.inference_mode(), mixture.active():
        mixed = model.network(x)
    for number, (state, own) in enumerate(zip(states, x.split(sizes), strict=True)):
        model.load(state)
        model.use(statistics)
        with torch.inference_mode():
            torch.testing.assert_close(mixed.split(sizes)[number], model.network(own), rtol=0, atol=1e-5)
        if statistics.kept:
            torch.testing.assert_close(mixture.bank[number], model.state.detach(), rtol=1e-5, atol=1e-6)


def test_a_single_value_says_nothing_of_the_variance():
    """As in a pass of its own: the running one stays."""
    model = AdaptableModel(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), CPU)
    mixture = Mixture(model, versions(model, 2), (1, 1), Statistics.FIRST)
    before = mixture.bank.clone()
    with torch.inference_mode(), mixture.active():
        model.network(torch.randn(2, 3))
    pieces = model.layout.pieces
    torch.testing.assert_close(mixture.bank[:, pieces[3]], before[:, pieces[3]], rtol=0, atol=0)
    assert not torch.allclose(mixture.bank[:, pieces[2]], before[:, pieces[2]])


def test_requests_share_the_row_of_a_version():
    model = NETWORKS["batch"]()
    one, other = versions(model, 2)
    assert len(Mixture(model, [one, other, one, one], (1,) * 4, Statistics.RUNNING).bank) == 2


def test_afterwards_the_model_is_as_before():
    model = NETWORKS["several"]()
    x, state = torch.randn(2, 1, 6, 6), model.read()
    with torch.inference_mode():
        before = model.network(x)
        with Mixture(model, versions(model, 2), (1, 1), Statistics.RUNNING).active():
            model.network(x)
        model.load(state)
        torch.testing.assert_close(model.network(x), before, rtol=0, atol=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_kinds_that_mix(kind):
    assert can_mix(NETWORKS[kind]())


@pytest.mark.parametrize(
    "model",
    [
        lambda: network(Activated(8), rows=True),
        lambda: network(nn.LayerNorm((16, 8)), rows=True),
        lambda: network(nn.BatchNorm2d(8), LayerNorm2d(8), Rows(), Activated(8), rows=False),
    ],
)
def test_kinds_that_do_not(model):
    assert not can_mix(model())
