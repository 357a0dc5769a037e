import numpy as np
import pytest
import torch

from models.executor import Executor
from models.flops import forward_flops
from models.normalisation import AdaptableModel
from models.placement import Placement
from models.strategies._interface import DeviceName, Laboratory, Upload
from sim.streams import RandomStreams

CPU = torch.device("cpu")


@pytest.fixture
def laboratory(tiny):
    """A laboratory of tiny models and three devices in two groups."""
    source = tiny()
    edge = AdaptableModel(source.network, CPU)
    return Laboratory(
        executor=Executor(Placement(CPU)),
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


class PlainNetwork:
    """The tiny edge model in plain PyTorch, normalising by each batch's statistics, its affine parameters trainable.

    Attributes:
        parameters: in the order of the normalisation state.

    """

    def __init__(self, source):
        self.preparation = source.preparation
        self.network = source.network.requires_grad_(False).train()
        self.parameters = []
        for layer in self.network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
                self.parameters += [layer.weight.requires_grad_(), layer.bias.requires_grad_()]

    def logits(self, images):
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        return self.network((x - self.preparation.mean[0]) / self.preparation.std[0])

    def affine(self):
        return torch.cat([parameter.detach().flatten() for parameter in self.parameters]).numpy()


@pytest.fixture
def plain(tiny):
    """The edge model in plain PyTorch, to restate methods on."""
    return PlainNetwork(tiny())


@pytest.fixture
def sharpen():
    """Change a tiny model so that its predictions differ in class and in certainty."""

    def change(source):
        classifier = source.network.classifier
        classifier.weight.data *= 30
        classifier.bias.data = -0.56 * classifier.weight.data.sum(1)
        return source

    return change


@pytest.fixture
def feed(laboratory):
    """Upload batches to a strategy's cloud and take the steps that they make ready; return the outcomes."""

    def take_steps(strategy, *batches):
        outcomes = []
        for images in batches:
            for step in strategy.cloud.receive(Upload("a-0", images)):
                outcomes.append(laboratory.executor.step(step.begin().execute).result())
        return outcomes

    return take_steps
