import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.entropy import entropy
from models.executor import Forward
from models.images import Preparation, prepare
from models.strategies.lame import Lame, affinity_matrix, assign

KINDS = ["knn", "rbf", "linear"]


def restated_affinity(features, kind, k):
    """Return W, sample by sample."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    n = len(unit)
    distances = [[np.linalg.norm(a - b) for b in unit] for a in unit]
    if kind == "linear":
        return unit @ unit.T
    if kind == "rbf":
        sigma = np.mean([sorted(row)[min(k, n) - 1] for row in distances])
        return np.array([[np.exp(-(d**2) / (2 * sigma**2)) for d in row] for row in distances])
    affinities = np.zeros((n, n))
    for i in range(n):
        nearest = sorted((j for j in range(n) if j != i), key=lambda j: distances[i][j])[:k]
        affinities[i, nearest] = 1
    return affinities


def restated_assignments(probabilities, affinities):
    """Iterate as the authors' code: Z <- softmax(-U + W Z) until the energy stands still."""
    unary = -np.log(probabilities + 1e-10)
    z = np.exp(-unary) / np.exp(-unary).sum(1, keepdims=True)
    last = float("inf")
    for iteration in range(100):
        pairwise = affinities @ z
        z = np.exp(-unary + pairwise)
        z /= z.sum(1, keepdims=True)
        energy = (unary * z - pairwise * z + z * np.log(np.clip(z, 1e-20, None))).sum()
        if iteration > 1 and abs(energy - last) <= 1e-8 * abs(last):
            break
        last = energy
    return z


def outputs(network, images):
    """Return features and probabilities, float64."""
    x = prepare(images, Preparation((0.4,), (0.3,)), torch.device("cpu"))
    with torch.no_grad():
        features = network.stages(network.stem(x)).mean((2, 3))
        probabilities = network.classifier(features).double().softmax(1)
    return features.double().numpy(), probabilities.numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neighbours", [2, 5])
def test_the_papers_procedure(laboratory, images, tiny, kind, neighbours):
    lame = Lame(affinity=kind, neighbours=neighbours)
    device = lame.build(laboratory).edge(laboratory.devices[0])
    for seed, count in enumerate((9, 4)):
        batch = images(count, seed)
        features, probabilities = outputs(tiny().network, batch)
        expected = restated_assignments(probabilities, restated_affinity(features, kind, neighbours))
        logits = device.conclude(device.forward(batch).result()).logits
        np.testing.assert_allclose(logits.exp().numpy(), expected, atol=1e-6)
        assert not np.allclose(expected, probabilities, atol=1e-3)
        np.testing.assert_allclose(entropy(logits), -(expected * np.log(expected)).sum(1), atol=1e-5)
    np.testing.assert_array_equal(device.state, laboratory.source_state)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_one_keeps_its_class(laboratory, images, tiny, kind):
    """knn has no neighbour and changes nothing; the others are drawn to themselves."""
    device = Lame(affinity=kind).build(laboratory).edge(laboratory.devices[0])
    logits = device.conclude(device.forward(images(1)).result()).logits
    _, probabilities = outputs(tiny().network, images(1))
    assert logits.argmax() == probabilities.argmax()
    assert logits.exp().max() >= probabilities.max() - 1e-6
    if kind == "knn":
        np.testing.assert_allclose(logits.exp(), probabilities, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neighbours", [1, 3])
def test_equal_images_are_assigned_alike(laboratory, images, kind, neighbours):
    device = Lame(affinity=kind, neighbours=neighbours).build(laboratory).edge(laboratory.devices[0])
    logits = device.conclude(device.forward(images(1).repeat(4, 0)).result()).logits
    assert logits.isfinite().all()
    torch.testing.assert_close(logits, logits[:1].expand(4, -1))


def test_a_sample_is_none_of_its_own_nearest():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    expected = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
    torch.testing.assert_close(affinity_matrix(features, "knn", 1), expected)


def test_the_first_neighbour_of_a_gaussian_is_the_sample_itself():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    only_equal = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(affinity_matrix(features, "rbf", 1), only_equal)


def test_neighbours_outvote_a_doubtful_prediction():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55]])
    assigned = assign(probabilities.log(), torch.ones(3, 3) - torch.eye(3))
    assert assigned.argmax(1).tolist() == [0, 0, 0]
    alone = assign(probabilities.log(), torch.zeros(3, 3))
    torch.testing.assert_close(alone.exp(), probabilities)


def test_a_certain_prediction_can_be_outvoted_too(laboratory):
    """The floor under its probabilities bounds what it weighs: ln 1e-10 = -23, against 39 neighbours."""
    method = Lame(affinity="linear").build(laboratory).edge(laboratory.devices[0]).method
    logits = torch.tensor([[100.0, 0.0]] + 39 * [[0.0, 100.0]])
    assigned = method.predict(Forward(logits, features=torch.ones(40, 6)))
    assert assigned.argmax(1).tolist() == 40 * [1]
    assert assigned.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 999), st.sampled_from(["rbf", "linear"]))
def test_the_objective_never_rises(samples, classes, seed, kind):
    """It holds where W is positive semi-definite."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(samples, 4, generator=generator, dtype=torch.float64)
    log_q = torch.randn(samples, classes, generator=generator, dtype=torch.float64).log_softmax(1)
    affinities = affinity_matrix(features, kind, 3)
    log_z = assign(log_q, affinities)

    def objective(log_z):
        z = log_z.exp()
        return ((z * (log_z - log_q)).sum() - (affinities * (z @ z.T)).sum() / 2).item()

    torch.testing.assert_close(log_z.exp().sum(1), torch.ones(samples, dtype=torch.float64))
    assert objective(log_z) <= objective(log_q) + 1e-9


def test_the_cost_counts_affinities_and_every_iteration(laboratory):
    device = Lame().build(laboratory).edge(laboratory.devices[0])
    n, features, classes = 7, 6, 5
    added = 2 * n * n * features + 100 * 2 * n * n * classes
    assert device.flops(n) == n * laboratory.edge_flops + added


def test_the_defaults_are_the_papers():
    assert (Lame().affinity, Lame().neighbours, Lame().statistics) == ("knn", 5, "source")
    for field in ({"neighbours": 0}, {"affinity": "cosine"}, {"statistics": "distributed"}):
        with pytest.raises(ValidationError, match=next(iter(field))):
            Lame.model_validate(field)
