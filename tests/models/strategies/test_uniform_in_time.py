import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.strategies.uniform_in_time import UniformBudget


def kept(share, sizes, seed=0):
    """The numbers of the samples kept."""
    budget = UniformBudget(share, np.random.default_rng(seed))
    masks = [budget.keep(torch.rand(size), torch.ones(size, 2)) for size in sizes]
    return torch.cat(masks).nonzero()[:, 0].tolist()


@pytest.mark.parametrize("every", [1, 2, 5, 8])
def test_every_so_many_samples_one_is_kept(every):
    numbers = kept(1 / every, [7, 1, 1, 16, 3, 40])
    assert numbers[0] < every
    assert set(np.diff(numbers)) == {every}


@given(st.floats(0.01, 1), st.integers(0, 99))
def test_gaps_differ_by_one_at_most(share, seed):
    gaps = np.diff(kept(share, [300], seed))
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_the_size_of_batches_changes_nothing(sizes):
    assert kept(0.37, sizes) == kept(0.37, [sum(sizes)])
