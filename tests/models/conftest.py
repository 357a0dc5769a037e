import numpy as np
import pytest
import torch

from models.images import Preparation
from models.networks import ResidualNetwork
from models.sources import LoadedModel

MEAN, STD = (0.4,), (0.3,)


@pytest.fixture
def tiny():
    """Build a small residual classifier of 5 classes for grey images, the same for the same seed."""

    def build(seed=0):
        torch.manual_seed(seed)
        return LoadedModel(ResidualNetwork((4, 6), (1, 1), 5).eval(), 5, Preparation(MEAN, STD))

    return build


@pytest.fixture
def images():
    """Build uint8 (count, 8, 8, 1)."""
    return lambda count, seed=0: np.random.default_rng(seed).integers(
        0, 256, (count, 8, 8, 1), dtype=np.uint8
    )
