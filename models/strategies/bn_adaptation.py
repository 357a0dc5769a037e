"""BN adaptation: the statistics of batch normalisation are re-estimated on each batch as it is predicted.

From the batch alone in prediction-time batch normalisation (Nado et al., https://arxiv.org/abs/2006.10963), and with
the source statistics as a prior in covariate shift adaptation (Schneider et al., https://arxiv.org/abs/2006.16971).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from models.strategies._forward_only import ForwardOnlySettings, StatisticsMethod

if TYPE_CHECKING:
    from models.normalisation import Statistics
    from models.strategies._interface import Laboratory


class BnAdaptation(ForwardOnlySettings):
    """Every device normalises with a mean of source and batch statistics, keeps nothing and sends nothing."""

    name: Literal["bn_adaptation"] = "bn_adaptation"
    prior_samples: Annotated[int, Field(ge=0)] = 16
    """N: as many samples as the source statistics count for, beside the n of the batch.

    16 is what Schneider et al. choose for small batches, down to a single image. 0 takes the batch's statistics
    alone, as Nado et al. do, and asks for large batches: of a single image it makes instance normalisation.
    """

    def method(self, laboratory: Laboratory) -> BatchStatistics:
        """Return the method for one device; InputError where the edge model has no batch normalisation."""
        return BatchStatistics(self, laboratory)


class BatchStatistics(StatisticsMethod):
    """Of batch normalisation's statistics, N / (N + n) are the source's and n / (N + n) the batch's.

    That holds for the mean and for the variance, which of the batch is the biased one that normalises in training.
    """

    remembers: ClassVar[bool] = False

    def __init__(self, settings: BnAdaptation, laboratory: Laboratory) -> None:
        super().__init__(settings, laboratory)
        self.prior_samples = settings.prior_samples

    def statistics(self, samples: int) -> Statistics:
        """Return the share of a batch of so many samples; the next batch starts from the source again."""
        from models.normalisation import Statistics  # noqa: PLC0415

        return Statistics(used=samples / (self.prior_samples + samples), kept=0)
