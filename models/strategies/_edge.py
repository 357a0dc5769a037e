"""The device's side that strategies share: hold a version, run it, exclude samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.criteria._chain import Exclusion
from models.executor import Forward, Pending
from models.normalisation import AdaptableModel, Statistics
from models.strategies._interface import LOCAL, Decision, Laboratory


@dataclass
class ForwardOnly:
    """A device that predicts with the version it holds and never computes a gradient.

    Attributes:
        laboratory: where to run.
        statistics: which statistics the next pass uses; FIRST takes those of the first batch and turns to RUNNING.
        exclusion: the criteria that choose uploads, or None to upload nothing.
        sends_statistics: whether to send the statistics of the first batch to the cloud.
        announces: whether the cloud is told of batches of which nothing is kept.
        version: number of the version held.
        state: its decoded normalisation state, float32 (D,).

    """

    laboratory: Laboratory
    statistics: Statistics = Statistics.RUNNING
    exclusion: Exclusion | None = None
    sends_statistics: bool = False
    announces: bool = False
    version: int = 0

    def __post_init__(self) -> None:
        self.state: NDArray[np.float32] = self.laboratory.source_state

    @property
    def _model(self) -> AdaptableModel:
        return self.laboratory.edge

    @property
    def consequential(self) -> bool:
        """Whether it may upload, or keep statistics."""
        return self.exclusion is not None or self.statistics.kept > 0

    def flops(self, samples: int) -> int:
        """Return the operations of a forward pass."""
        return samples * self.laboratory.edge_flops

    def forward(self, images: NDArray[np.uint8]) -> Pending[Forward]:
        """Request the forward pass of a batch, uint8 (N, H, W, C), with the version held."""
        laboratory = self.laboratory
        return laboratory.executor.forward(
            self._model, laboratory.edge_source, images, self.state, self.statistics
        )

    def conclude(self, forward: Forward) -> Decision:
        """Judge each sample; after the first batch, keep its statistics where they are to be used."""
        verdicts = self.exclusion.judge(forward.logits) if self.exclusion else [LOCAL] * len(forward.logits)
        state = self.exclusion.state() if self.exclusion else {}
        decision = Decision(forward.logits, verdicts, announce=self.announces, state=state)
        if forward.state is not None:
            self.state, self.statistics = forward.state, Statistics.RUNNING
            if self.sends_statistics and self._model.layout.size > self._model.layout.affine_size:
                decision = replace(decision, statistics=forward.state[self._model.layout.affine_size :])
        return decision

    def receive(self, number: int, state: NDArray[np.float32]) -> None:
        """Swap to a version; from the first on, its running statistics take the place of the device's own."""
        self.version, self.state = number, state
        if self.statistics == Statistics.FIRST:
            self.statistics = Statistics.RUNNING
