import numpy as np
import torch

from models.strategies.top_k import TopK, UncertaintyBudget


def select(share, *batches):
    budget = UncertaintyBudget(share, np.random.default_rng(0))
    return [budget.keep(torch.tensor(batch), torch.ones(len(batch), 2)).tolist() for batch in batches]


def test_the_highest_entropies_are_kept():
    assert select(0.5, [0.1, 0.9, 0.4, 0.7], [1.0, 0.0]) == [[False, True, False, True], [True, False]]


def test_of_equal_entropies_the_earlier_are_kept():
    assert select(0.5, [0.5] * 200) == [[True] * 100 + [False] * 100]


def test_every_sample_kept_is_at_least_as_uncertain_as_every_other(laboratory, images, tiny):
    """On real predictions, against the entropy written out."""
    device = TopK(share=0.4).build(laboratory).edge(laboratory.devices[1])
    network = tiny().network.train()  # a device normalises with the statistics of each batch
    for seed in range(5):
        batch = images(5, seed)
        decision = device.conclude(device.forward(batch).result())
        x = (torch.from_numpy(batch).permute(0, 3, 1, 2) / 255 - 0.4) / 0.3
        with torch.no_grad():
            p = network(x).softmax(1)
        entropies = -(p * p.log()).sum(1)
        kept = torch.tensor([verdict == "kept" for verdict in decision.verdicts])
        assert kept.sum() == 2
        assert entropies[kept].min() > entropies[~kept].max()
