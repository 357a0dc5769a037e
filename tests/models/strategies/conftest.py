import numpy as np
import pytest
import torch

from models.executor import Executor
from models.flops import forward_flops
from models.normalisation import AdaptableModel
from models.strategies._interface import DeviceName, Laboratory
from sim.streams import RandomStreams

CPU = torch.device("cpu")


@pytest.fixture
def laboratory(tiny):
    """A laboratory of tiny models and three devices in two groups."""
    source = tiny()
    edge = AdaptableModel(source.network, CPU)
    return Laboratory(
        executor=Executor(CPU),
        edge=edge,
        edge_source=source,
        edge_flops=forward_flops(edge, (8, 8, 1)),
        source_state=edge.read(),
        load_edge=tiny,
        load_foundation=lambda: tiny(seed=1),
        image_shape=(8, 8, 1),
        devices=[DeviceName("a-0", "a"), DeviceName("a-1", "a"), DeviceName("b-0", "b")],
        generator=RandomStreams(0).generator,
        clean_images=lambda count: np.random.default_rng(9).integers(
            0, 256, (count, 8, 8, 1), dtype=np.uint8
        ),
    )
