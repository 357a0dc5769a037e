import math

import pytest
import torch

from models.criteria.redundant import Redundant

ONE, TWO, THREE = torch.eye(3)


def keep(state, *probabilities):
    batch = torch.stack(probabilities)
    return state.keep(torch.zeros(len(batch)), batch).tolist()


def test_the_first_batch_is_kept_whole_and_becomes_the_mean():
    state = Redundant(d_margin=0.4).build(3)
    assert keep(state, ONE, ONE, TWO, TWO) == [True] * 4
    assert state.mean.tolist() == [0.5, 0.5, 0]


def test_samples_like_the_mean_are_excluded_and_only_kept_ones_move_it():
    state = Redundant(d_margin=0.4).build(3)
    keep(state, ONE)
    mixed = torch.tensor([0.2, 0.0, 0.8])  # cosine 0.2 / sqrt(0.68) = 0.24
    assert keep(state, ONE, TWO, mixed) == [False, True, True]
    assert state.mean.tolist() == pytest.approx([0.9 + 0.1 * 0.1, 0.1 * 0.5, 0.1 * 0.4])


def test_the_mean_stays_when_none_is_kept():
    state = Redundant().build(3)
    keep(state, ONE, TWO)
    assert keep(state, ONE, TWO) == [False, False]
    assert state.mean.tolist() == [0.5, 0.5, 0]


def test_the_margin_is_excluded():
    cosine = 1 / math.sqrt(2)
    for margin, kept in ((cosine - 1e-4, False), (cosine + 1e-4, True)):
        state = Redundant(d_margin=margin).build(3)
        keep(state, ONE)
        assert keep(state, (ONE + TWO) / 2) == [kept]


@pytest.mark.parametrize(("num_classes", "d_margin"), [(2, 0.4), (10, 0.4), (11, 0.05), (1000, 0.05)])
def test_the_margin_is_eatas_unless_given(num_classes, d_margin):
    assert Redundant().build(num_classes).d_margin == d_margin
    assert Redundant(d_margin=0.2).build(num_classes).d_margin == 0.2
