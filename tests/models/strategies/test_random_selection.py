import numpy as np
import torch

from models.strategies.cema import Cema
from models.strategies.random_selection import RandomBudget, RandomSelection


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


def test_a_field_of_the_cloud_leaves_the_others_as_cemas():
    own = RandomSelection.model_validate({"share": 0.5, "distillation": {"learning_rate": 0.01}})
    cema = Cema.model_validate({"distillation": {"learning_rate": 0.01}})
    assert own.distillation == cema.distillation
    assert RandomSelection(share=0.5).distillation == Cema().distillation
