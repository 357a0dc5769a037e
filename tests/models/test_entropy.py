import math

import pytest
import torch

from models.entropy import confidence_weight, entropy


def test_entropy_of_known_distributions():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1e4, -1e4], [50.0, -50.0, -50.0, -50.0]])
    assert entropy(logits).tolist() == pytest.approx([math.log(4), math.log(2), 0])


def test_entropy_is_minus_sum_p_log_p():
    p = torch.tensor([[0.7, 0.2, 0.1]])
    expected = -sum(q * math.log(q) for q in (0.7, 0.2, 0.1))
    assert entropy(p.log() + 3).item() == pytest.approx(expected)


def test_entropy_of_extreme_logits_is_finite_with_a_finite_gradient():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    entropy(logits).sum().backward()
    assert entropy(logits).item() == 0
    assert logits.grad.tolist() == [[0, 0]]


def test_confident_samples_weigh_more():
    entropies = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    weights = confidence_weight(entropies, 0.5)
    assert weights.tolist() == pytest.approx([math.exp(0.5), 1, math.exp(-0.5)])
    assert not weights.requires_grad
