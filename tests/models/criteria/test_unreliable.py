import math

import pytest
import torch

from models.criteria.unreliable import Unreliable

FIRST = 0.4 * math.log(10)
BATCHES = [[0.2, 0.4], [1.0, 2.0, 0.6], [0.1], [1.5, 0.3]]


def thresholds(**settings):
    """E_max in each of the batches."""
    state = Unreliable(**settings).build(10)
    found = []
    for batch in BATCHES:
        state.observe(torch.tensor(batch))
        found.append(state.e_max)
    return found


def means():
    """The mean entropy of all samples up to and including each batch."""
    seen = []
    return [sum(seen := seen + batch) / len(seen) for batch in BATCHES]


def test_static():
    assert thresholds(threshold="static", coefficient=3.0) == pytest.approx([FIRST] * 4)


@pytest.mark.parametrize("coefficient", [1.0, 0.9])
def test_recursive_is_the_papers(coefficient):
    expected, mean = [FIRST], means()
    for t in range(1, 4):
        expected.append(coefficient * expected[-1] * mean[t] / mean[t - 1])
    assert thresholds(threshold="recursive", coefficient=coefficient) == pytest.approx(expected)


@pytest.mark.parametrize(("warm_up", "end"), [(1, 0), (2, 0), (3, 1), (6, 2), (100, 3)])
def test_anchored_is_the_references(warm_up, end):
    """Constant until the warm-up's samples are seen, then in proportion to the mean since."""
    mean = means()
    expected = [FIRST] * (end + 1) + [0.9 * FIRST * mean[t] / mean[end] for t in range(end + 1, 4)]
    found = thresholds(threshold="anchored", coefficient=0.9, warm_up_samples=warm_up)
    assert found == pytest.approx(expected)


def test_the_two_forms_agree_at_a_coefficient_of_one():
    assert thresholds(threshold="recursive") == pytest.approx(thresholds(threshold="anchored"))


def test_the_paper_is_the_default():
    assert Unreliable() == Unreliable(threshold="recursive", share=0.4, coefficient=1.0)


def test_only_entropies_below_the_threshold_are_kept():
    state = Unreliable(threshold="static", share=0.5).build(4)
    bound = 0.5 * math.log(4)
    entropies = torch.tensor([0.0, bound - 1e-5, bound, bound + 1e-5], dtype=torch.float64)
    assert state.keep(entropies, torch.zeros(4, 4)).tolist() == [True, True, False, False]


def test_a_first_batch_without_any_doubt_leaves_the_threshold():
    state = Unreliable().build(10)
    state.observe(torch.zeros(3))
    state.observe(torch.ones(3))
    assert state.e_max == pytest.approx(FIRST)
