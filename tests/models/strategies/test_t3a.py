from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from models.errors import InputError
from models.executor import Executor
from models.fitting import SelectedClasses
from models.images import Preparation, prepare
from models.normalisation import AdaptableModel
from models.placement import Placement
from models.sources import LoadedModel
from models.strategies._interface import Laboratory
from models.strategies.t3a import T3a

CPU = torch.device("cpu")


class Restated:
    """The algorithm with a list of (entropy, direction) for each class."""

    def __init__(self, weights, biases, keep):
        self.keep = keep
        self.weights, self.biases = weights, biases
        self.supports = [[(self.doubt(w), w / w.norm())] for w in weights]

    def doubt(self, feature):
        p = (self.weights @ feature + self.biases).softmax(0)
        return -(p * p.log()).sum().item()

    def predict(self, features):
        for feature in features:
            label = (self.weights @ feature + self.biases).argmax()
            self.supports[label].append((self.doubt(feature), feature / feature.norm()))
        for supports in self.supports:
            supports.sort(key=lambda support: support[0])
            del supports[self.keep :]
        means = [torch.stack([direction for _, direction in supports]).mean(0) for supports in self.supports]
        prototypes = torch.stack([mean / mean.norm() for mean in means])
        return features @ prototypes.T


def features_of(network, images):
    x = prepare(images, Preparation((0.4,), (0.3,)), CPU)
    with torch.no_grad():
        return network.stages(network.stem(x)).mean((2, 3))


def weights_of(network):
    return network.classifier.weight.detach(), network.classifier.bias.detach()


def supports_of(device):
    """Return the entropies and directions of each class, in the order of entropy."""
    method = device.method
    return [
        sorted(
            (
                (e.item(), s)
                for e, s, label in zip(method.entropies, method.supports, method.labels, strict=True)
                if label == c
            ),
            key=lambda support: support[0],
        )
        for c in range(method.num_classes)
    ]


def assert_same_supports(device, restated):
    for got, expected in zip(supports_of(device), restated.supports, strict=True):
        assert len(got) == len(expected)
        for (got_entropy, got_direction), (entropy, direction) in zip(got, expected, strict=True):
            assert got_entropy == pytest.approx(entropy, abs=1e-5)
            torch.testing.assert_close(got_direction, direction)


@pytest.mark.parametrize("keep", [1, 3, None])
def test_the_papers_algorithm(laboratory, images, tiny, keep):
    device = T3a(supports_per_class=keep).build(laboratory).edge(laboratory.devices[0])
    network = tiny().network
    restated = Restated(*weights_of(network), 10**9 if keep is None else keep)
    assert_same_supports(device, restated)
    for seed, count in enumerate((9, 1, 6, 8)):
        batch = images(count, seed)
        logits = device.conclude(device.forward(batch).result()).logits
        torch.testing.assert_close(logits, restated.predict(features_of(network, batch)))
        assert_same_supports(device, restated)
    np.testing.assert_array_equal(device.state, laboratory.source_state)


def test_without_a_limit_everything_stays(laboratory, images):
    device = T3a(supports_per_class=None).build(laboratory).edge(laboratory.devices[0])
    for _ in range(3):
        device.conclude(device.forward(images(7)).result())
    assert device.method.supports.shape == (5 + 3 * 7, 6)


def test_before_any_feature_the_prototypes_are_the_weights(laboratory, tiny):
    method = T3a().build(laboratory).edge(laboratory.devices[0]).method
    weights, _ = weights_of(tiny().network)
    torch.testing.assert_close(method.prototypes(), weights / weights.norm(dim=1, keepdim=True))


@settings(max_examples=30, deadline=None)
@given(
    keep=st.integers(1, 4),
    batches=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_each_class_keeps_its_most_certain(method_of, keep, batches, seed):
    """Of all that a class was given, the lowest entropies stay, and no class is ever without a support."""
    method = method_of(keep)
    generator = torch.Generator().manual_seed(seed)
    seen = {c: [e.item()] for c, e in enumerate(method.entropies)}
    for count in batches:
        logits = torch.randn(count, 5, generator=generator)
        method.add(torch.randn(count, 6, generator=generator), logits)
        for row in logits:
            p = row.softmax(0)
            seen[int(row.argmax())].append(-(p * p.log()).sum().item())
    for c, entropies in seen.items():
        kept = sorted(method.entropies[method.labels == c].tolist())
        assert kept == pytest.approx(sorted(entropies)[:keep], abs=1e-5)
        assert kept


@pytest.fixture(scope="module")
def method_of():
    """Build the method of a random classifier of 5 classes and 6 features."""
    torch.manual_seed(0)
    source = LoadedModel(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.LayerNorm(6), nn.Linear(6, 5)).eval(),
        5,
        Preparation((0.4,), (0.3,)),
    )
    edge = AdaptableModel(source.network, CPU)
    laboratory = Laboratory(
        Executor(Placement(CPU)), edge, source, 1, edge.read(), None, None, (8, 8, 1), [], None, None
    )
    return lambda keep: T3a(supports_per_class=keep).method(laboratory)


def of(laboratory, network, num_classes):
    edge = AdaptableModel(network.eval(), CPU)
    source = replace(laboratory.edge_source, network=network, num_classes=num_classes)
    return replace(
        laboratory, executor=Executor(Placement(CPU)), edge=edge, edge_source=source, source_state=edge.read()
    )


def test_of_selected_classes_the_rows_count(laboratory, images, tiny):
    classes = np.array([3, 0, 4])
    selected = of(laboratory, SelectedClasses(tiny().network, classes), 3)
    device = T3a(supports_per_class=2).build(selected).edge(laboratory.devices[0])
    network = tiny().network
    weights, biases = weights_of(network)
    restated = Restated(weights[classes], biases[classes], 2)
    for seed in range(3):
        logits = device.conclude(device.forward(images(6, seed)).result()).logits
        torch.testing.assert_close(logits, restated.predict(features_of(network, images(6, seed))))


def test_a_classifier_without_a_bias(laboratory, images, tiny):
    network = tiny().network
    network.classifier = nn.Linear(6, 5, bias=False)
    device = T3a().build(of(laboratory, network, 5)).edge(laboratory.devices[0])
    restated = Restated(network.classifier.weight.detach(), torch.zeros(5), 20)
    assert_same_supports(device, restated)
    assert device.conclude(device.forward(images(2)).result()).logits.shape == (2, 5)


def test_a_model_that_does_not_end_in_its_classifier_is_the_users_mistake(laboratory):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.LayerNorm(8), nn.Unflatten(1, (8, 1, 1)))
    network.append(nn.Conv2d(8, 5, 1)).append(nn.Flatten())
    strategy = T3a(label="mine").build(of(laboratory, network, 5))
    with pytest.raises(InputError, match=r"mine: .* last linear layer has 8 outputs for 5 classes"):
        strategy.edge(laboratory.devices[0])


def test_the_cost_counts_prototypes_and_products(laboratory, images):
    device = T3a(supports_per_class=None).build(laboratory).edge(laboratory.devices[0])
    n, features, classes = 7, 6, 5
    for held in (5, 5 + 7):
        pending = device.forward(images(n))
        added = (held + n) * features + 2 * n * features * classes
        assert device.flops(n) == n * laboratory.edge_flops + added
        device.conclude(pending.result())


def test_the_defaults():
    assert (T3a().supports_per_class, T3a().statistics) == (20, "source")
    for count in (0, -1):
        with pytest.raises(ValidationError, match="supports_per_class"):
            T3a(supports_per_class=count)
