import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.strategies._interface import Upload
from models.strategies.cotta import Cotta


@pytest.fixture
def tiny(tiny, sharpen):
    return lambda seed=0: sharpen(tiny(seed))


def settings(**fields):
    given = {"batch_size": 6, "learning_rate": 0.01, "teacher_momentum": 0.8, "augmentations": 3}
    return Cotta.model_validate(given | {"anchor_confidence": 0.0, "restore_probability": 0.2} | fields)


def scope_of(strategy):
    return strategy.cloud.scopes["fleet"]


class Brighten:
    """Stands for the augmentation: each call adds more."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x + 0.1 * self.calls


def test_the_papers_settings_for_imagenet():
    cotta = Cotta()
    assert (cotta.optimiser, cotta.learning_rate, cotta.momentum) == ("sgd", 0.01, 0.9)
    assert (cotta.teacher_momentum, cotta.augmentations) == (0.999, 32)
    assert (cotta.anchor_confidence, cotta.restore_probability) == (0.1, 0.001)


def anchor_confidences(plain, images):
    with torch.no_grad():
        return [plain.logits(images(6, seed)).softmax(1).max(1).values.mean().item() for seed in range(4)]


@pytest.mark.parametrize("augmented", [0, 2, 4])
def test_four_steps(laboratory, images, plain, feed, augmented):
    """The threshold lies between the confidences of the batches: so many of the four are augmented."""
    confidences = sorted(anchor_confidences(plain, images))
    threshold = [0.0, *confidences[1:], 1.0][augmented] - (1e-4 if 0 < augmented < 4 else 0)
    strategy = settings(anchor_confidence=threshold).build(laboratory)
    scope = scope_of(strategy)
    scope.method.augment = Brighten()
    outcomes = feed(strategy, *(images(6, seed) for seed in range(4)))
    assert scope.method.augment.calls == 3 * augmented

    brighten, uniform = Brighten(), laboratory.generator("cloud/restoration/fleet")
    descent = torch.optim.SGD(plain.parameters, 0.01, momentum=0.9)
    source = torch.from_numpy(plain.affine())
    trained, teacher, losses = source.clone(), source.clone(), []

    def logits(affine, x):
        load(plain.parameters, affine)
        return plain.network(x)

    for seed in range(4):
        x = (torch.from_numpy(images(6, seed)).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.3
        with torch.no_grad():
            if logits(source, x).softmax(1).max(1).values.mean() < threshold:
                target = sum(logits(teacher, brighten(x)) for _ in range(3)) / 3
            else:
                target = logits(teacher, x)
        loss = -(target.softmax(1) * logits(trained, x).log_softmax(1)).sum(1).mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(loss.item())
        trained = torch.from_numpy(plain.affine())
        teacher = 0.8 * teacher + 0.2 * trained
        restored = torch.from_numpy(uniform.random(len(trained)) < 0.2)
        trained = restored * source + ~restored * trained

    size = len(plain.affine())
    np.testing.assert_allclose(scope.student.state[:size], teacher, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(scope.student.state[size:], laboratory.source_state[size:])
    np.testing.assert_allclose(scope.method.trained, trained, rtol=0, atol=1e-6)
    assert [outcome.losses["adaptation_loss"] for outcome in outcomes] == pytest.approx(losses, abs=1e-5)
    np.testing.assert_array_equal(outcomes[-1].version.state, scope.student.state[:size])  # the teacher's


def load(parameters, affine):
    with torch.no_grad():
        start = 0
        for parameter in parameters:
            parameter.copy_(affine[start : start + parameter.numel()])
            start += parameter.numel()


@pytest.mark.parametrize("handling", ["distributed", "source", "device_batch"])
def test_the_teacher_predicts_as_devices_do(laboratory, images, handling):
    strategy = settings(statistics=handling).build(laboratory)
    device, scope = strategy.edge(laboratory.devices[0]), scope_of(strategy)
    for seed in range(2):
        predicted = device.conclude(device.forward(images(6, seed)).result()).logits
        if seed == 0 and handling == "distributed":
            scope.student.start_with(device.state[laboratory.edge.layout.affine_size :])
        logits, _ = scope.method.adapt(scope.student, images(6, seed))
        torch.testing.assert_close(logits, predicted, rtol=0, atol=1e-5)
        version = scope.student.publish()
        device.receive(version.number, version.state)


@pytest.mark.parametrize("augmented", [False, True])
def test_running_statistics_follow_the_students_passes_alone(laboratory, images, augmented):
    """The anchor's and the teacher's passes, augmented or not, leave no trace in them."""
    fields = {"statistics": "distributed", "anchor_confidence": float(augmented)}
    scope = scope_of(settings(**fields).build(laboratory))
    size = laboratory.edge.layout.affine_size
    scope.student.start_with(laboratory.source_state[size:])
    scope.method.adapt(scope.student, images(6))

    stem = laboratory.load_edge().network.stem[0]
    x = (torch.from_numpy(images(6)).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.3
    with torch.no_grad():
        mean = stem(x).mean((0, 2, 3)).numpy()
    layout = scope.network.model.layout
    piece = layout.pieces[layout.names.index("stem.1.running_mean")]
    before = laboratory.source_state[piece]
    np.testing.assert_allclose(scope.student.state[piece], before + 0.1 * (mean - before), rtol=0, atol=1e-6)


def test_with_certain_restoration_the_student_is_always_the_deployed_one(laboratory, images, feed):
    strategy = settings(restore_probability=1.0).build(laboratory)
    feed(strategy, images(6))
    np.testing.assert_array_equal(
        scope_of(strategy).method.trained, laboratory.source_state[: laboratory.edge.layout.affine_size]
    )


def test_a_teacher_without_momentum_is_the_student(laboratory, images, feed):
    strategy = settings(teacher_momentum=0.0, restore_probability=0.0).build(laboratory)
    feed(strategy, images(6, 0), images(6, 1))
    scope = scope_of(strategy)
    trained = scope.method.trained
    np.testing.assert_array_equal(scope.student.state[: len(trained)], trained)
    assert not np.array_equal(trained, laboratory.source_state[: len(trained)])


def test_a_run_can_be_repeated_with_the_published_augmentation(laboratory, images, feed):
    states = []
    for _ in range(2):
        strategy = settings(anchor_confidence=1.0).build(laboratory)
        feed(strategy, images(6, 0), images(6, 1))
        states.append(scope_of(strategy).student.state)
    np.testing.assert_array_equal(*states)


@pytest.mark.parametrize(("anchor_confidence", "augmentations"), [(0.21, 3), (0.2, 0)])
def test_a_step_costs_a_training_pass_and_those_of_anchor_and_teacher(
    laboratory, images, anchor_confidence, augmentations
):
    """Of five classes, the likeliest has a probability of 0.2 at least."""
    strategy = settings(anchor_confidence=anchor_confidence).build(laboratory)
    (step,) = strategy.cloud.receive(Upload("a-0", images(6)))
    network = strategy.network
    passes = 1 + 1 + augmentations
    assert step.begin().flops == 6 * (network.training_flops + passes * network.forward_flops)


@pytest.mark.parametrize(
    "fields",
    [
        {"teacher_momentum": 1.1},
        {"augmentations": 0},
        {"anchor_confidence": -0.1},
        {"restore_probability": 2.0},
    ],
)
def test_impossible_settings(fields):
    with pytest.raises(ValidationError) as caught:
        settings(**fields)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(fields)]
