import numpy as np
import torch

from models.networks import ResidualNetwork
from models.pretraining.training import Phase, Recipe, train

RECIPE = Recipe((8, 16), (1, 1), phases=(Phase("strong", 1, 0.05), Phase("light", 2, 0.05)), batch_size=16)


def trained(seed):
    """Train on two classes of images, dark and bright; return the network and what was reported."""
    labels = np.arange(96) % 2
    images = np.random.default_rng(0).integers(0, 60, (96, 8, 8, 1)) + 150 * labels[:, None, None, None]
    torch.manual_seed(seed)
    network = ResidualNetwork(RECIPE.channels, RECIPE.blocks, num_classes=2)
    reports = []
    threads = torch.get_num_threads()
    train(
        network,
        images.astype(np.uint8),
        labels.astype(np.int64),
        mean=0.4,
        std=0.3,
        recipe=RECIPE,
        seed=seed,
        progress=lambda *report: reports.append(report),
    )
    torch.set_num_threads(threads)
    return network, reports


def test_learns_and_reports_every_step():
    network, reports = trained(seed=0)
    assert [(done, total) for done, total, _ in reports] == [(step, 18) for step in range(1, 19)]
    assert reports[0][2].startswith("phase 1/2, epoch 1/1, loss ")
    assert reports[-1][2].startswith("phase 2/2, epoch 2/2, loss ")
    assert not network.training
    dark, bright = torch.full((1, 1, 8, 8), (0.1 - 0.4) / 0.3), torch.full((1, 1, 8, 8), (0.7 - 0.4) / 0.3)
    with torch.inference_mode():
        assert network(torch.cat([dark, bright])).argmax(1).tolist() == [0, 1]


def test_a_seed_gives_the_same_weights():
    first, second, other = (trained(seed)[0].state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)
