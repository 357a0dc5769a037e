import numpy as np
import torch

from models.strategies.random_selection import RandomBudget


def draws(seed, share=0.25, size=8, batches=4000):
    budget = RandomBudget(share, np.random.default_rng(seed))
    entropies = torch.arange(size)
    return torch.stack([budget.keep(entropies, torch.ones(size, 2)) for _ in range(batches)])


def test_all_positions_are_equally_likely():
    kept = draws(0).float()
    assert (kept.sum(1) == 2).all()
    assert (kept.mean(0) - 0.25).abs().max() < 0.03


def test_all_pairs_are_equally_likely():
    pairs = [tuple(row.nonzero()[:, 0].tolist()) for row in draws(1)]
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    assert len(counts) == 28
    assert max(counts.values()) < 2 * min(counts.values())


def test_one_stream_gives_one_selection():
    assert torch.equal(draws(2, batches=20), draws(2, batches=20))
    assert not torch.equal(draws(2, batches=20), draws(3, batches=20))
