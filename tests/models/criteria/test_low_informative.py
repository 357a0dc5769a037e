import math

import torch

from models.criteria.low_informative import LowInformative


def test_only_entropies_above_the_bound_are_kept():
    state = LowInformative().build(10)
    bound = 0.02 * math.log(10)
    entropies = torch.tensor([0.0, bound - 1e-6, bound, bound + 1e-6, 2.0], dtype=torch.float64)
    assert state.keep(entropies, torch.zeros(5, 10)).tolist() == [False, False, False, True, True]


def test_the_bound_is_constant():
    state = LowInformative(share=0.1).build(10)
    state.observe(torch.full((5,), 2.0))
    assert state.e_min == 0.1 * math.log(10)
