import math

import numpy as np
import pytest
import torch

from models.foundation import FoundationModel
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics

CPU = torch.device("cpu")
E_MAX = 0.4 * math.log(5)


@pytest.fixture
def foundation(tiny):
    return FoundationModel(tiny(), (8, 8, 1), CPU, learning_rate=0.1, momentum=0.9)


def logits(model, source, images):
    return model.network(prepare(images, source.preparation, CPU))


def test_two_steps_of_weighted_entropy_minimisation(foundation, tiny, images):
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    model.use(Statistics.FIRST)
    model.network.train()
    velocity = [torch.zeros_like(p) for p in model.parameters]
    for seed in range(2):
        z = logits(model, source, images(6, seed))
        h = -(z.softmax(1) * z.log_softmax(1)).sum(1)
        loss = ((E_MAX - h.detach()).exp() * h).mean()
        slopes = torch.autograd.grad(loss, model.parameters)
        with torch.no_grad():
            for parameter, slope, speed in zip(model.parameters, slopes, velocity, strict=True):
                speed.mul_(0.9).add_(slope)
                parameter.sub_(0.1 * speed)
        assert foundation.adapt(images(6, seed), E_MAX) == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(foundation.model.read(), model.read(), rtol=0, atol=1e-6)


def test_statistics_start_with_the_first_batch_and_follow(foundation, images):
    layout = foundation.model.layout
    mean = layout.pieces[layout.names.index("stem.1.running_mean")]

    def mean_of(batch):
        with torch.no_grad():
            x = prepare(batch, foundation.source.preparation, CPU)
            return foundation.model.network.stem[0](x).mean((0, 2, 3)).numpy()

    first, second = mean_of(images(6, 0)), mean_of(images(6, 1))
    foundation.adapt(images(6, 0), E_MAX)
    np.testing.assert_allclose(foundation.model.read()[mean], first, atol=1e-6)
    foundation.adapt(images(6, 1), E_MAX)
    np.testing.assert_allclose(foundation.model.read()[mean], first + 0.1 * (second - first), atol=1e-6)


def test_teaching_changes_nothing(foundation, images):
    foundation.adapt(images(6, 0), E_MAX)
    before = foundation.model.read()
    taught = foundation.teach(images(4, 1))
    assert taught.shape == (4, 5)
    assert not taught.requires_grad
    np.testing.assert_array_equal(foundation.model.read(), before)
    torch.testing.assert_close(foundation.teach(images(2, 1)), taught[:2])  # no dependence on the batch


def test_an_unadapted_teacher_takes_the_statistics_of_its_first_batch(foundation, images):
    deployed, size = foundation.model.read(), foundation.model.layout.affine_size
    foundation.teach(images(6, 0))
    first = foundation.model.read()
    np.testing.assert_array_equal(first[:size], deployed[:size])
    assert not np.array_equal(first[size:], deployed[size:])
    foundation.teach(images(6, 1))
    np.testing.assert_array_equal(foundation.model.read(), first)
