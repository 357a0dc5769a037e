import numpy as np
import pytest
from pydantic import ValidationError

from models.criteria.low_informative import LowInformative
from models.criteria.redundant import Redundant
from models.criteria.unreliable import Unreliable
from models.normalisation import Statistics
from models.strategies._distillation import Distillation, Foundation, Replay
from models.strategies._interface import Upload
from models.strategies.cema import Cema

QUICK = {"batch_size": 4, "replay": {"minimum": 10}}


def settings(**fields):
    return Cema.model_validate(fields)


def test_the_paper():
    cema = settings()
    assert cema == settings(preset="paper")
    assert cema.criteria.unreliable == Unreliable(threshold="recursive", share=0.4, coefficient=1.0)
    assert cema.criteria.low_informative == LowInformative(share=0.02)
    assert cema.criteria.redundant is None
    assert cema.statistics == "device_batch"
    assert cema.replay == Replay(capacity=10_000, minimum=256, ratio=3, replay_only_steps=False)
    assert cema.distillation == Distillation(entropy_weight=0.0, kl_weight=3.0, cross_entropy_weight=1.0)


def test_the_reference():
    cema = settings(preset="reference")
    assert cema.criteria.unreliable == Unreliable(threshold="static", share=0.4)
    assert cema.criteria.low_informative is None
    assert cema.criteria.redundant == Redundant(d_margin=0.05)
    assert cema.statistics == "distributed"
    assert cema.replay == Replay(capacity=10_000, minimum=256, ratio=3, replay_only_steps=True)
    assert cema.distillation == Distillation(
        learning_rate=0.0025, entropy_weight=3.0, kl_weight=3.0, cross_entropy_weight=1.0, temperature=1.0
    )


def test_the_references_ablation():
    cema = settings(preset="reference-ablation")
    assert cema.criteria.unreliable == Unreliable(threshold="anchored", share=0.4, warm_up_samples=1)
    assert cema.criteria.low_informative == LowInformative(share=0.02)
    changed = {"preset", "criteria"}
    assert cema.model_dump(exclude=changed) == settings(preset="reference").model_dump(exclude=changed)


@pytest.mark.parametrize("preset", ["paper", "reference", "reference-ablation"])
def test_what_the_presets_share(preset):
    cema = settings(preset=preset)
    assert (cema.batch_size, cema.momentum, cema.e_max_share, cema.publish_every_steps) == (32, 0.9, 0.4, 1)
    assert cema.student_scope == "fleet"
    assert cema.foundation == Foundation(update=True, learning_rate=0.00025)
    assert (cema.distillation.learning_rate, cema.distillation.temperature) == (0.0025, 1.0)


def test_what_is_given_beside_a_preset_wins_and_the_rest_stays():
    cema = settings(preset="reference", criteria={"redundant": {"d_margin": 0.4}}, replay={"minimum": 64})
    assert cema.criteria.redundant == Redundant(d_margin=0.4)
    assert cema.criteria.unreliable.threshold == "static"
    assert (cema.replay.minimum, cema.replay.replay_only_steps) == (64, True)
    again = settings(preset="reference")
    assert (again.criteria.redundant.d_margin, again.replay.minimum) == (0.05, 256)


def test_null_switches_a_criterion_off_and_a_mapping_on():
    cema = settings(criteria={"unreliable": None, "redundant": {}})
    assert (cema.criteria.unreliable, cema.criteria.redundant) == (None, Redundant())
    assert cema.criteria.low_informative == LowInformative()


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_a_dump_is_read_back(preset):
    cema = settings(preset=preset, criteria={"low_informative": None}, momentum=0.0)
    assert Cema.model_validate(cema.model_dump(mode="json")) == cema


@pytest.mark.parametrize("preset", ["eata", 3, None, ["paper"]])
def test_an_unknown_preset(preset):
    with pytest.raises(
        ValidationError, match="Input should be 'paper', 'reference' or 'reference-ablation'"
    ) as caught:
        settings(preset=preset)
    assert [error["loc"] for error in caught.value.errors()] == [("preset",)]


def test_an_unknown_field_in_a_merged_part():
    with pytest.raises(ValidationError) as caught:
        settings(replay={"minimun": 3})
    assert [error["loc"] for error in caught.value.errors()] == [("replay", "minimun")]


@pytest.mark.parametrize(
    ("scope", "students"),
    [("fleet", ["fleet"] * 3), ("group", ["a", "a", "b"]), ("device", ["a-0", "a-1", "b-0"])],
)
def test_scopes(laboratory, scope, students):
    strategy = settings(preset="reference", student_scope=scope).build(laboratory)
    assert [strategy.student(device) for device in laboratory.devices] == students
    assert list(strategy.cloud.scopes) == list(dict.fromkeys(students))
    senders = [device.name for device in laboratory.devices if strategy.edge(device).sends_statistics]
    assert senders == {"fleet": ["a-0"], "group": ["a-0", "b-0"], "device": ["a-0", "a-1", "b-0"]}[scope]


@pytest.mark.parametrize(
    ("fields", "statistics", "senders", "announces", "criteria"),
    [
        ({}, Statistics.BATCH, 0, False, ["unreliable", "low_informative"]),
        ({"preset": "reference"}, Statistics.FIRST, 1, True, ["unreliable", "redundant"]),
        ({"statistics": "source"}, Statistics.RUNNING, 0, False, ["unreliable", "low_informative"]),
    ],
)
def test_devices(laboratory, fields, statistics, senders, announces, criteria):
    strategy = settings(**fields).build(laboratory)
    devices = [strategy.edge(device) for device in laboratory.devices]
    assert {device.statistics for device in devices} == {statistics}
    assert {device.announces for device in devices} == {announces}
    assert sum(device.sends_statistics for device in devices) == senders
    assert [list(device.exclusion.criteria) for device in devices] == [criteria] * 3
    states = {id(state) for device in devices for state in device.exclusion.criteria.values()}
    assert len(states) == 3 * len(criteria)  # each device has its own


def works(strategy, images, *counts):
    """Upload batches of so many images and execute each step; (kind, new, replayed, version) of every step."""
    found = []
    for seed, count in enumerate(counts):
        for step in strategy.cloud.receive(Upload("a-0", images(count, seed))):
            work = step.begin()
            version = work.execute().version
            found.append((step.kind, work.new_samples, work.replayed_samples, version and version.number))
    return found


def test_steps_of_full_batches_with_replay_once_there_is_enough(laboratory, images):
    strategy = settings(**QUICK).build(laboratory)
    assert works(strategy, images, 3, 0, 1, 5, 2, 9) == [
        ("batch", 4, 0, 1),  # 4 uploaded
        ("batch", 4, 0, 2),  # 9 uploaded, 1 waits
        ("batch", 4, 12, 3),  # 20 uploaded, 3 + 9 waiting
        ("batch", 4, 12, 4),
        ("batch", 4, 12, 5),
    ]


def test_a_step_at_exactly_the_minimum_replays(laboratory, images):
    strategy = settings(batch_size=5, replay={"minimum": 10, "ratio": 2}).build(laboratory)
    assert works(strategy, images, 5, 5) == [("batch", 5, 0, 1), ("batch", 5, 10, 2)]


def test_replay_only_steps_come_where_no_batch_is_full_and_more_than_the_minimum_is_stored(
    laboratory, images
):
    strategy = settings(preset="reference", **QUICK).build(laboratory)
    assert works(strategy, images, 0, 8, 2, 0, 1, 3, 0) == [
        ("batch", 4, 0, 1),
        ("batch", 4, 0, 2),
        ("replay", 0, 11, 3),  # 11 uploaded: 10 are not enough, and 16 are not there yet
        ("batch", 4, 12, 4),
        ("replay", 0, 14, 5),
    ]


def test_versions_are_published_every_k_steps(laboratory, images):
    strategy = settings(publish_every_steps=3, **QUICK).build(laboratory)
    assert [version for *_, version in works(strategy, images, *[4] * 7)] == [
        None,
        None,
        1,
        None,
        None,
        2,
        None,
    ]


def test_without_replay(laboratory, images):
    fields = {"batch_size": 4, "replay": {"capacity": 0, "minimum": 1, "replay_only_steps": True}}
    assert works(settings(**fields).build(laboratory), images, 4, 0, 4) == [
        ("batch", 4, 0, 1),
        ("batch", 4, 0, 2),
    ]


def test_an_update_switched_off_leaves_the_foundation_models_parameters(laboratory, images):
    for update in (True, False):
        strategy = settings(foundation={"update": update}, **QUICK).build(laboratory)
        size = strategy.foundation.model.layout.affine_size
        deployed = strategy.foundation.model.read()[:size]
        works(strategy, images, 4, 4)
        assert np.array_equal(strategy.foundation.model.read()[:size], deployed) != update


def test_the_cost_of_steps(laboratory, images):
    """A teacher's pass and a student's training pass for all samples; the foundation model's training for new ones."""
    strategy = settings(**QUICK).build(laboratory)
    cloud = strategy.cloud
    works(strategy, images, 8)
    (step,) = cloud.receive(Upload("a-0", images(4)))
    assert (
        step.begin().flops
        == 16 * (strategy.foundation.forward_flops + strategy.network.training_flops)
        + 4 * strategy.foundation.training_flops
    )


def test_statistics_reach_the_student_of_the_sender(laboratory):
    strategy = settings(preset="reference", student_scope="group").build(laboratory)
    layout = laboratory.edge.layout
    sent = np.full(layout.size - layout.affine_size, 2, np.float32)
    assert strategy.cloud.receive(Upload("b-0", statistics=sent)) == []
    laboratory.executor.step(lambda: None).result()  # what was submitted before has been done
    scopes = strategy.cloud.scopes
    assert (scopes["b"].student.state[layout.affine_size :] == 2).all()
    np.testing.assert_array_equal(scopes["a"].student.state, laboratory.source_state)


def test_a_step_tells_what_the_replay_buffer_remembers(laboratory, images):
    cloud = settings(batch_size=4).build(laboratory).cloud
    assert cloud.receive(Upload("a-0", images(3), arrival=5)) == []
    (step,) = cloud.receive(Upload("a-1", images(2), arrival=9))
    assert step.begin().remembered.tolist() == [5, 5, 5, 9, 9]


def test_a_foundation_model_is_needed():
    assert Cema.needs_foundation
