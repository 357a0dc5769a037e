"""The two losses of the cloud: weighted entropy for the foundation model, distillation for the edge model.

Source: CEMA (https://arxiv.org/abs/2402.17316) and its reference implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from models.entropy import confidence_weight, entropy


class DistillationTerms(NamedTuple):
    """The terms of the distillation loss, each averaged over the batch, before their factors."""

    entropy: Tensor
    kl: Tensor
    cross_entropy: Tensor


def weighted_entropy(logits: Tensor, e_max: float) -> Tensor:
    """Return mean(w H) with w = exp(e_max - H) detached, a scalar."""
    entropies = entropy(logits)
    return (confidence_weight(entropies, e_max) * entropies).mean()


def distillation_terms(
    student: Tensor, teacher: Tensor, e_max: float, temperature: float
) -> DistillationTerms:
    """Return the three terms for logits (N, C) of student and teacher; no gradient flows to the teacher.

    They are mean(u H(student)) with u = exp(e_max - H(student)); mean(w KL(teacher || student) T^2) on logits
    divided by T, and mean(w CE(student, argmax teacher)), with w = exp(e_max - H(teacher)); all weights detached.
    """
    teacher = teacher.detach()
    weight = confidence_weight(entropy(teacher), e_max)
    log_student = (student / temperature).log_softmax(1)
    log_teacher = (teacher / temperature).log_softmax(1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1) * temperature**2
    cross_entropy = F.cross_entropy(student, teacher.argmax(1), reduction="none")
    return DistillationTerms(
        weighted_entropy(student, e_max), (weight * divergence).mean(), (weight * cross_entropy).mean()
    )


@dataclass(frozen=True)
class LossWeights:
    """Factors of the distillation loss, its temperature, and E_max0 of the samples' weights in nats."""

    entropy: float
    kl: float
    cross_entropy: float
    temperature: float
    e_max: float

    def objective(self, teacher: Tensor) -> Callable[[Tensor], dict[str, Tensor]]:
        """Return the function from a student's logits (N, C) to the loss and its unweighted terms, by column."""

        def losses(student: Tensor) -> dict[str, Tensor]:
            terms = distillation_terms(student, teacher, self.e_max, self.temperature)
            loss = (
                self.entropy * terms.entropy + self.kl * terms.kl + self.cross_entropy * terms.cross_entropy
            )
            return {
                "distillation_loss": loss,
                "entropy_term": terms.entropy,
                "kl_term": terms.kl,
                "cross_entropy_term": terms.cross_entropy,
            }

        return losses
