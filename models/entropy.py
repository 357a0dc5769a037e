"""Entropy of predictions, the method's measure of doubt."""

from __future__ import annotations

from torch import Tensor


def entropy(logits: Tensor) -> Tensor:
    """Return H(z) = -sum p log p with p = softmax(z), in nats: float (N,) from logits (N, C)."""
    log_probabilities = logits.log_softmax(1)
    return -(log_probabilities.exp() * log_probabilities).sum(1)


def confidence_weight(entropies: Tensor, e_max: float) -> Tensor:
    """Return exp(e_max - H), detached: confident samples weigh more (CEMA; EATA, https://arxiv.org/abs/2204.02610)."""
    return (e_max - entropies.detach()).exp()
