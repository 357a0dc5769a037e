"""ONDA: online domain adaptation by a moving average of the statistics of batch normalisation.

Mancini et al., Kitting in the Wild through Online Domain Adaptation (https://arxiv.org/abs/1807.01028, IROS 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.strategies._forward_only import ForwardOnlySettings, StatisticsMethod

if TYPE_CHECKING:
    from models.normalisation import Statistics
    from models.strategies._interface import Laboratory


class Onda(ForwardOnlySettings):
    """Every device starts from the source statistics, lets its own follow what it sees, and sends nothing.

    The paper updates after every 10 images; here each batch is an update, so that a stream's batch size of 10 is the
    paper's.
    """

    name: Literal["onda"] = "onda"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """alpha: share of a batch in the new statistics; the paper's is 0.1."""
    update_first: bool = False
    """Whether a batch is predicted with statistics that include its own.

    As published it is not: a batch is predicted with what the earlier ones have left.
    """

    def method(self, laboratory: Laboratory) -> MovingStatistics:
        """Return the method for one device; InputError where the edge model has no batch normalisation."""
        return MovingStatistics(self, laboratory)


class MovingStatistics(StatisticsMethod):
    """The update of the paper: mu <- (1 - alpha) mu + alpha mu_B, and var <- (1 - alpha) var + alpha n / (n - 1) var_B.

    n counts the values of a channel in the batch, images times pixels, so that n / (n - 1) var_B is their unbiased
    variance; a single value leaves the variance as it is. mu_B and var_B are those of the pass that predicts: each
    layer sees what the layers before it have normalised with the statistics in use.
    """

    def __init__(self, settings: Onda, laboratory: Laboratory) -> None:
        super().__init__(settings, laboratory)
        self.momentum = settings.momentum
        self.update_first = settings.update_first

    def statistics(self, samples: int) -> Statistics:
        """Return the share alpha of the batch in what is kept and, where it is updated first, in what is used."""
        from models.normalisation import Statistics  # noqa: PLC0415

        return Statistics(used=self.momentum if self.update_first else 0, kept=self.momentum)
