"""Which samples deserve a step: reliable ones that are not redundant (EATA, https://arxiv.org/abs/2204.02610)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from scenarios.settings import Positive, Settings

if TYPE_CHECKING:
    from models.criteria._chain import Exclusion


class Selection(Settings):
    """The criteria of ETA and EATA; the defaults are those of the experiments on ImageNet."""

    e0_share: Positive = 0.4
    """E_0 as a share of ln C: predictions whose entropy is not below it are unreliable (equation 3)."""
    d_margin: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Epsilon of equation 5: predictions whose absolute cosine to the moving mean is not below it are redundant.

    0.05 is tuned to 1000 classes; on the 10 of CIFAR-10 the paper takes 0.4.
    """

    def e0(self, num_classes: int) -> float:
        """Return E_0 in nats."""
        return self.e0_share * math.log(num_classes)

    def exclusion(self, num_classes: int) -> Exclusion:
        """Return a fresh state of the two criteria, which are those that CEMA's devices may use."""
        from models.criteria._chain import Exclusion  # noqa: PLC0415
        from models.criteria.redundant import Redundant  # noqa: PLC0415
        from models.criteria.unreliable import Unreliable  # noqa: PLC0415

        unreliable = Unreliable(threshold="static", share=self.e0_share)
        redundant = Redundant(d_margin=self.d_margin)
        return Exclusion(
            {"unreliable": unreliable.build(num_classes), "redundant": redundant.build(num_classes)}
        )
