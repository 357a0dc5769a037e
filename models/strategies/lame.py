"""LAME: Laplacian adjusted maximum-likelihood estimation (https://arxiv.org/abs/2201.05718, CVPR 2022).

The network stays as it is. Each batch is assigned to classes jointly: an assignment stays near the network's
probabilities and near the assignments of the samples with similar features. No state is kept between batches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.strategies._forward_only import OutputMethod, OutputSettings

if TYPE_CHECKING:
    from torch import Tensor

    from models.executor import Forward
    from models.strategies._interface import Laboratory

Affinity = Literal["knn", "rbf", "linear"]

ITERATIONS = 100
TOLERANCE = 1e-8
"""Iterations end when the energy changes by no more than this share of it, and by `ITERATIONS`, as published."""
PROBABILITY_FLOOR = 1e-10
"""Added to the network's probabilities before their logarithm, as published."""


class Lame(OutputSettings):
    """Every device corrects the network's predictions of each batch and sends nothing."""

    name: Literal["lame"] = "lame"
    affinity: Affinity = "knn"
    """How similar two samples are, from their features scaled to length 1.

    - knn: 1 if the second is among the nearest neighbours of the first, otherwise 0;
    - rbf: exp(-d^2 / (2 sigma^2)) of their distance d, with sigma the mean distance to the k-th nearest;
    - linear: the product of their features.
    """
    neighbours: Annotated[int, Field(ge=1)] = 5
    """k of knn and rbf; the paper chooses among 1, 3 and 5, and 5 is its best overall.

    For rbf a sample is the first of its own neighbours, as in the authors' code.
    """

    def method(self, laboratory: Laboratory) -> LaplacianAdjustment:
        """Return the method for one device; InputError where the edge model has no linear classifier."""
        return LaplacianAdjustment(self, laboratory)


class LaplacianAdjustment(OutputMethod):
    """The method on one device."""

    remembers: ClassVar[bool] = False

    def __init__(self, settings: Lame, laboratory: Laboratory) -> None:
        super().__init__(settings)
        self.affinity = settings.affinity
        self.neighbours = settings.neighbours
        self.feature_size = laboratory.edge.classifier.in_features
        self.num_classes = laboratory.edge_source.num_classes

    def flops(self, samples: int) -> int:
        """Return the operations of the affinities, 2 N^2 F, and of the products W Z, 2 N^2 C in an iteration.

        How many iterations a batch needs is known only afterwards; counted are all that it may take.
        """
        return 2 * samples**2 * (self.feature_size + ITERATIONS * self.num_classes)

    def predict(self, forward: Forward) -> Tensor:
        """Return the logarithm of the assignments, float32 (N, C)."""
        assert forward.features is not None
        log_probabilities = (forward.logits.double().softmax(1) + PROBABILITY_FLOOR).log()
        affinities = affinity_matrix(forward.features.double(), self.affinity, self.neighbours)
        return assign(log_probabilities, affinities).float()


def affinity_matrix(features: Tensor, affinity: Affinity, neighbours: int) -> Tensor:
    """Return W, float (N, N), of features (N, F); see `Lame.affinity`."""
    import torch  # noqa: PLC0415
    from torch.nn import functional as F  # noqa: PLC0415

    features = F.normalize(features, dim=1)
    if affinity == "linear":
        return features @ features.T
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    if affinity == "rbf":
        kth = distances.sort(1).values[:, min(neighbours, len(distances)) - 1]
        sigma = kth.mean().clamp_min(1e-6)  # 0 for k = 1 and for a batch of one: only equal samples attract
        return (-(distances**2) / (2 * sigma**2)).exp()
    others = distances.fill_diagonal_(torch.inf)
    nearest = others.argsort(stable=True)[:, : min(neighbours, len(others) - 1)]
    return torch.zeros_like(others).scatter_(1, nearest, 1)


def assign(log_probabilities: Tensor, affinities: Tensor) -> Tensor:
    """Return log Z, float (N, C), from log Q (N, C) and W (N, N).

    The paper's concave-convex procedure: from Z = Q, Z <- softmax(log Q + W Z). For W positive semi-definite, each
    step minimises an upper bound on sum_i KL(z_i || q_i) - 1/2 sum_ij w_ij z_i . z_j that is tight at the last Z.
    """
    assignments = log_probabilities.softmax(1)
    energy = math.inf
    for iteration in range(ITERATIONS):
        exponents = log_probabilities + affinities @ assignments
        log_assignments = exponents.log_softmax(1)
        assignments = log_assignments.exp()
        # sum Z (log Z - log Q - W Z_last): log Z is the exponents less their logsumexp
        last, energy = energy, -float(exponents.logsumexp(1).sum())
        if iteration > 1 and abs(energy - last) <= TOLERANCE * abs(last):
            break
    return log_assignments
