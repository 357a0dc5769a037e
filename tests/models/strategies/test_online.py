import numpy as np
import pytest
from pydantic import ValidationError

from models.normalisation import Statistics
from models.strategies._interface import Upload
from models.strategies.tent import Tent
from models.strategies.tent_on_device import TentOnDevice


def in_cloud(**fields):
    return Tent.model_validate({"batch_size": 4, "learning_rate": 0.1} | fields)


def on_device(**fields):
    return TentOnDevice.model_validate({"learning_rate": 0.1} | fields)


def test_devices_upload_everything(laboratory, images):
    device = in_cloud().build(laboratory).edge(laboratory.devices[0])
    assert device.conclude(device.forward(images(3)).result()).verdicts == ["kept"] * 3


@pytest.mark.parametrize(
    ("handling", "statistics"),
    [
        ("distributed", Statistics.FIRST),
        ("source", Statistics.RUNNING),
        ("device_batch", Statistics.BATCH),
    ],
)
def test_students_train_as_devices_predict(laboratory, images, handling, statistics):
    """The loss of the first step is the entropy of the predictions that a device makes of the same batch."""
    strategy = in_cloud(statistics=handling).build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    assert device.statistics == strategy.cloud.scopes["fleet"].student.statistics == statistics
    p = device.conclude(device.forward(images(4)).result()).logits.softmax(1)
    (step,) = strategy.cloud.receive(Upload("a-0", images(4)))
    losses = step.begin().execute().losses
    assert losses == {"adaptation_loss": pytest.approx(float(-(p * p.log()).sum(1).mean()), abs=1e-5)}


def test_steps_take_full_batches_in_order_of_arrival(laboratory, images):
    cloud = in_cloud().build(laboratory).cloud
    assert [len(cloud.receive(Upload("a-0", images(count)))) for count in (3, 0, 6, 2)] == [0, 0, 2, 0]
    assert len(cloud.scopes["fleet"].waiting.images) == 3


def test_a_step_is_on_new_samples_and_publishes_the_affine_parameters(laboratory, images):
    strategy = in_cloud().build(laboratory)
    (step,) = strategy.cloud.receive(Upload("b-0", images(4)))
    work = step.begin()
    assert (step.student, step.kind, work.new_samples, work.replayed_samples) == ("fleet", "batch", 4, 0)
    assert (work.flops, work.remembered) == (4 * strategy.network.training_flops, None)
    version = work.execute().version
    assert (version.student, version.number) == ("fleet", 1)
    size = laboratory.edge.layout.affine_size
    np.testing.assert_array_equal(version.state, strategy.cloud.scopes["fleet"].student.state[:size])
    np.testing.assert_array_equal(version.source, laboratory.source_state[:size])
    assert not np.array_equal(version.state, version.source)


def test_versions_are_published_every_k_steps(laboratory, images, feed):
    outcomes = feed(in_cloud(publish_every_steps=2).build(laboratory), images(20))
    assert [outcome.version and outcome.version.number for outcome in outcomes] == [None, 1, None, 2, None]


def test_groups_learn_apart(laboratory, images, feed):
    strategy = in_cloud(student_scope="group").build(laboratory)
    feed(strategy, images(4))
    students = {name: scope.student for name, scope in strategy.cloud.scopes.items()}
    assert {name: student.steps for name, student in students.items()} == {"a": 1, "b": 0}
    np.testing.assert_array_equal(students["b"].state, laboratory.source_state)


def test_nothing_is_sent_from_or_to_devices_that_learn_themselves(laboratory, images):
    strategy = on_device().build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    decision = device.conclude(device.forward(images(3)).result())
    assert strategy.cloud is None
    assert (decision.verdicts, decision.announce, decision.statistics) == (["local"] * 3, False, None)
    assert (device.version, strategy.student(laboratory.devices[0])) == (0, "a-0")
    with pytest.raises(LookupError):
        device.receive(1, laboratory.source_state)


def test_devices_learn_apart_in_one_network(laboratory, images):
    strategy = on_device().build(laboratory)
    one, other, alone = (strategy.edge(device) for device in laboratory.devices)
    for seed in range(2):
        alone.forward(images(4, seed)).result()
    for seed in range(2):
        one.forward(images(4, seed)).result()
        other.forward(images(4, seed + 10)).result()
    np.testing.assert_array_equal(one.student.state, alone.student.state)
    assert not np.array_equal(one.student.state, other.student.state)


def test_a_devices_step_is_work_of_the_executor_and_counts_its_backward_pass(laboratory, images):
    strategy = on_device().build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    pending = device.forward(images(3))
    np.testing.assert_array_equal(device.student.state, laboratory.source_state)
    pending.result()
    assert laboratory.executor.steps == 1
    assert not np.array_equal(device.student.state, laboratory.source_state)
    assert device.flops(3) == 3 * strategy.network.training_flops > 3 * laboratory.edge_flops


@pytest.mark.parametrize(
    "fields", [{"optimiser": "lbfgs"}, {"learning_rate": 0.0}, {"batch_size": 1}, {"momentum": 1.0}]
)
def test_impossible_settings(fields):
    with pytest.raises(ValidationError) as caught:
        in_cloud(**fields)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(fields)]
