from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.codecs.jpeg import Jpeg
from models.codecs.raw import Raw
from models.executor import Executor
from models.placement import Placement
from models.strategies._interface import Answer, Outcome, Step, Version, Work
from scenarios.cloud import Cloud as CloudSettings
from sim.clock import SECOND, Clock
from sim.cloud import Cloud
from sim.messages import Message, pack
from sim.streams import RandomStreams
from sim.versions import VersionLog

SOURCE = np.array([1.0, 2.0, 3.0], np.float32)
STUDENT_OF = {"a-0": "a", "a-1": "a", "b-0": "b"}


class Rows(list):
    def add(self, **row):
        self.append(row)


@dataclass
class FakeLink:
    clock: Clock
    sent: list = field(default_factory=list)
    unfinished: list = field(default_factory=list)

    def send(self, size, message):
        self.sent.append((self.clock.time / SECOND, size, message))


@dataclass
class FakeAgent:
    """Every message of samples makes one step ready, of as many gigaflops as the first pixel says."""

    clock: Clock
    uploads: list = field(default_factory=list)
    events: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)
    publishes: bool = True
    remembered: object = None
    answer: object = None
    student_of: dict = field(default_factory=lambda: STUDENT_OF)

    def receive(self, upload):
        self.uploads.append(upload)
        if upload.images is None or not len(upload.images):
            return []
        student = self.student_of[upload.device]
        return [
            Step(
                student, "batch", lambda: self.begin(student, int(upload.images.flat[0]), len(upload.images))
            )
        ]

    def begin(self, student, gigaflops, samples):
        self.events.append((self.clock.time / SECOND, "begin", student, gigaflops))
        execute = partial(self.execute, student, gigaflops)
        return Work(samples, 5, gigaflops * 10**9, execute, self.remembered)

    def execute(self, student, gigaflops):
        self.events.append((self.clock.time / SECOND, "execute", student, gigaflops))
        number = self.versions[student] = self.versions.get(student, 0) + 1
        version = Version(student, number, SOURCE + number, SOURCE, (slice(0, 3),))
        return Outcome({"distillation_loss": 0.5}, version if self.publishes else None, self.answer)


def make(accelerators=1, publishes=True, overhead_ms=0.0, **more):
    """A cloud of one gigaflop a second, with two devices of student a and one of student b."""
    clock = Clock()
    settings = CloudSettings.model_validate(
        {"gflops": 1.0, "accelerators": accelerators, "overhead_ms": overhead_ms, "update_codec": "fp32"}
        | more
    )
    links = {device: FakeLink(clock) for device in STUDENT_OF}
    members = {student: [d for d, s in STUDENT_OF.items() if s == student] for student in "ab"}
    cloud = Cloud(
        clock,
        settings,
        FakeAgent(clock, publishes=publishes),
        Executor(Placement(torch.device("cpu"))),
        {device: [Raw()] for device in STUDENT_OF},
        links,
        members,
        {student: VersionLog() for student in "ab"},
        (1, 1, 1),
        Rows(),
        Rows(),
        RandomStreams(0).generator,
    )
    return SimpleNamespace(cloud=cloud, clock=clock, links=links, agent=cloud.agent, rows=cloud.table)


def samples(device, *pixels):
    return Message(
        "samples", device, pack([bytes([pixel]) for pixel in pixels]), samples=len(pixels), batch=0
    )


def test_images_of_a_lossless_codec_need_not_be_decoded():
    world = make()
    message = samples("a-0", 7, 9)
    images = [np.full((1, 1, 1), pixel, np.uint8) for pixel in (7, 9)]
    world.cloud.receive(replace(message, payload=b"", images=images))
    world.cloud.receive(message)
    first, second = world.agent.uploads
    np.testing.assert_array_equal(first.images, second.images)


def test_images_are_decoded_at_the_level_of_quality_that_their_message_says():
    """Two levels whose decoding can be told apart: raw, and a JPEG of the image."""
    world = make()
    jpeg = Jpeg(quality=95)
    world.cloud.codecs = {"a-0": [Raw(), jpeg]}
    image = np.full((1, 1, 1), 200, np.uint8)
    for quality, content in enumerate((Raw().encode(image), jpeg.encode(image))):
        world.cloud.receive(Message("samples", "a-0", pack([content], quality), 1, batch=0, quality=None))
    first, second = (int(upload.images[0, 0, 0, 0]) for upload in world.agent.uploads)
    assert first == 200
    assert abs(second - 200) <= 3


def play(world, *messages, until=None):
    """Let messages of a time in seconds, a sender and a step's seconds arrive; return the rows of the table."""
    for time, device, duration in messages:
        message = samples(device, duration)
        world.clock.call_at(round(time * SECOND), lambda message=message: world.cloud.receive(message))
    world.clock.run(until=None if until is None else round(until * SECOND))
    return [(r["student"], r["step"], r["ready_s"], r["start_s"], r["finish_s"]) for r in world.rows]


def test_a_step_takes_its_operations_and_the_fixed_cost():
    world = make(overhead_ms=250.0)
    assert play(world, (1.0, "a-0", 2)) == [("a", 0, 1.0, 1.0, 3.25)]
    (row,) = world.rows
    assert (row["status"], row["kind"], row["new_samples"], row["replayed_samples"], row["flops"]) == (
        "finished",
        "batch",
        1,
        5,
        2 * 10**9,
    )
    assert (row["distillation_loss"], row["foundation_loss"], row["version"]) == (0.5, None, 1)


def test_one_accelerator_takes_steps_in_the_order_in_which_they_became_ready():
    steps = play(make(), (0.0, "a-0", 2), (0.5, "b-0", 1), (1.0, "a-1", 1), (9.0, "b-0", 1))
    assert steps == [
        ("a", 0, 0.0, 0.0, 2.0),
        ("b", 0, 0.5, 2.0, 3.0),
        ("a", 1, 1.0, 3.0, 4.0),
        ("b", 1, 9.0, 9.0, 10.0),
    ]


def test_steps_of_one_student_never_overlap_and_let_others_pass():
    steps = play(make(accelerators=2), (0.0, "a-0", 4), (0.5, "a-1", 1), (1.0, "b-0", 2))
    assert steps == [
        ("b", 0, 1.0, 1.0, 3.0),
        ("a", 0, 0.0, 0.0, 4.0),
        ("a", 1, 0.5, 4.0, 5.0),
    ]


def test_no_more_steps_run_than_there_are_accelerators():
    world, running = make(accelerators=2), []
    messages = [(0.25 * k, device, 2) for k, device in enumerate(["a-0", "b-0", "a-1", "b-0"] * 5)]
    for time, device, duration in messages:
        message = samples(device, duration)
        world.clock.call_at(round(time * SECOND), lambda message=message: world.cloud.receive(message))
    while world.clock.peek() != float("inf"):
        world.clock.step()
        running.append(len(world.cloud.running))
    assert set(running) == {0, 1, 2}
    assert len(world.rows) == len(messages)


def test_models_are_touched_in_the_order_in_which_steps_begin():
    world = make(accelerators=2)
    play(world, (0.0, "a-0", 4), (1.0, "b-0", 1))
    assert world.agent.events == [
        (0.0, "begin", "a", 4),
        (1.0, "begin", "b", 1),
        (2.0, "execute", "a", 4),  # b's result is due, and a began before it
        (2.0, "execute", "b", 1),
    ]


def test_a_step_that_waits_is_chosen_when_it_begins():
    world = make()
    play(world, (0.0, "a-0", 3), (1.0, "a-0", 1))
    assert [event[:2] for event in world.agent.events if event[1] == "begin"] == [
        (0.0, "begin"),
        (3.0, "begin"),
    ]


def test_versions_are_published_when_their_step_is_done():
    world = make()
    play(world, (0.0, "a-0", 2), (0.0, "b-0", 1), (0.0, "a-0", 1))
    assert world.cloud.versions["a"].published == [0, 2 * SECOND, 4 * SECOND]
    assert world.cloud.versions["b"].published == [0, 3 * SECOND]


def test_a_version_goes_to_the_devices_of_its_student_only():
    world = make()
    play(world, (0.0, "a-1", 2))
    (first,), (second,) = world.links["a-0"].sent, world.links["a-1"].sent
    assert world.links["b-0"].sent == []
    for device, (time, size, message) in (("a-0", first), ("a-1", second)):
        assert (time, size) == (2.0, len(message.payload))
        assert (message.kind, message.device, message.version) == ("update", device, 1)
        assert message.state.tolist() == (SOURCE + 1).tolist()


def test_a_step_without_a_version_publishes_nothing():
    world = make(publishes=False)
    play(world, (0.0, "a-0", 1))
    assert world.rows[0]["version"] is None
    assert world.cloud.versions["a"].published == [0]
    assert all(link.sent == [] for link in world.links.values())


def test_the_end_of_the_run_leaves_steps_unfinished():
    world = make()
    play(world, (0.0, "a-0", 1), (0.0, "a-0", 2), (0.0, "b-0", 1), until=2.0)
    world.cloud.finish()
    assert [(r["student"], r["step"], r["status"], r["finish_s"], r["version"]) for r in world.rows] == [
        ("a", 0, "finished", 1.0, 1),
        ("a", 1, "unfinished", 3.0, None),
    ]
    assert world.cloud.versions["a"].published == [0, SECOND]


def test_images_are_decoded():
    world = make()
    world.cloud.receive(samples("a-0", 7, 9))
    (upload,) = world.agent.uploads
    assert (upload.device, upload.images.tolist()) == ("a-0", [[[[7]]], [[[9]]]])
    assert upload.images.dtype == np.uint8


def test_an_announcement_has_no_images():
    world = make()
    world.cloud.receive(samples("a-0"))
    assert world.agent.uploads[0].images.shape == (0, 1, 1, 1)


def test_statistics_are_decoded():
    world = make()
    world.cloud.receive(Message("statistics", "b-0", np.array([0.5, -1.0], "<f4").tobytes()))
    (upload,) = world.agent.uploads
    assert (upload.device, upload.images, upload.statistics.tolist()) == ("b-0", None, [0.5, -1.0])


def test_a_message_with_another_number_of_images_than_it_says_is_refused():
    world = make()
    with pytest.raises(ValueError, match="shorter"):
        world.cloud.receive(Message("samples", "a-0", pack([b"\x01"]), samples=2, batch=0))


def test_the_ages_of_what_is_remembered():
    world = make()
    world.agent.remembered = np.array([0, 1, 2, 3, 4]) * SECOND
    play(world, (6.0, "a-0", 1))
    (row,) = world.rows
    assert (row["replay_samples"], row["replay_age_s"]) == (5, [2.0, 3.0, 4.0, 5.0, 6.0])


def test_an_answer_goes_to_the_device_that_asked():
    world = make(publishes=False)
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 3.0]])
    world.agent.answer = Answer("b-0", 7, logits)
    play(world, (0.0, "b-0", 1))
    assert world.links["a-0"].sent == world.links["a-1"].sent == []
    ((time, size, message),) = world.links["b-0"].sent
    assert (time, size, message.kind, message.batch, message.samples) == (1.0, 6, "answer", 7, 3)
    assert np.frombuffer(message.payload, "<u2").tolist() == [1, 0, 1]
    assert message.logits is logits


def test_what_was_sent_before_a_reset_is_not_learnt_from():
    world = make()
    play(world, (0.0, "a-0", 2), (0.0, "a-0", 3), until=1.0)
    fresh = FakeAgent(world.clock)
    world.cloud.begin_anew(fresh, {student: VersionLog() for student in "ab"})
    world.cloud.receive(samples("b-0", 1))
    world.cloud.receive(replace(samples("b-0", 1), epoch=1))
    world.clock.run()
    assert [(r["student"], r["finish_s"], r["version"]) for r in world.rows] == [
        ("a", 2.0, None),
        ("b", 3.0, 1),
    ]
    assert len(fresh.uploads) == 1
    assert world.links["a-0"].sent == []
    assert [message.epoch for *_, message in world.links["b-0"].sent] == [1]


def test_a_question_from_before_a_reset_is_answered():
    world = make(publishes=False)
    world.cloud.begin_anew(world.agent, world.cloud.versions)
    world.agent.answer = Answer("b-0", 0, torch.zeros(1, 2))
    world.cloud.receive(replace(samples("b-0", 1), asks=True))
    world.cloud.receive(replace(samples("b-0", 1), epoch=1))
    assert [upload.stale for upload in world.agent.uploads] == [True, False]
    world.clock.run(until=SECOND + 1)
    assert [message.kind for *_, message in world.links["b-0"].sent] == ["answer"]


FIVE_UPLOADS = [(0.0, "a-0", 1), (0.1, "a-0", 1), (0.2, "a-0", 1), (0.3, "a-1", 1), (0.4, "a-1", 1)]


@pytest.mark.parametrize(
    ("discipline", "arrivals"),
    [("first_in_first_out", [0.0, 0.1, 0.2, 0.3, 0.4]), ("fair_per_device", [0.0, 0.3, 0.1, 0.4, 0.2])],
)
def test_uploads_wait_in_the_inbox_for_their_turn(discipline, arrivals):
    """A step a second; fairly, a-1 has its turn whenever a-0 has had more."""
    world = make(inbox={"discipline": discipline})
    steps = play(world, *FIVE_UPLOADS)
    assert [(ready, start) for _, _, ready, start, _ in steps] == list(zip(arrivals, range(5), strict=True))
    assert [upload.arrival for upload in world.agent.uploads] == [round(time * SECOND) for time in arrivals]


def test_the_strategy_knows_nothing_of_an_upload_in_the_inbox():
    world = make(inbox={})
    play(world, *FIVE_UPLOADS, until=1.5)
    assert (len(world.agent.uploads), len(world.cloud.inbox)) == (2, 3)


def test_an_upload_is_taken_in_past_those_of_a_student_whose_step_runs():
    steps = play(make(accelerators=2, inbox={}), (0.0, "a-0", 4), (0.5, "a-1", 1), (1.0, "b-0", 2))
    assert steps == [
        ("b", 0, 1.0, 1.0, 3.0),
        ("a", 0, 0.0, 0.0, 4.0),
        ("a", 1, 0.5, 4.0, 5.0),
    ]


class Gathering(FakeAgent):
    """Every second upload of a student makes a step ready."""

    def receive(self, upload):
        steps = super().receive(upload)
        gathered = sum(self.student_of[each.device] == steps[0].student for each in self.uploads)
        return [] if gathered % 2 else steps


def test_uploads_are_taken_in_until_there_is_a_step():
    """At 1 s, when the step of the first two is done, one upload alone would leave the accelerator idle."""
    world = make(inbox={})
    world.cloud.agent = world.agent = Gathering(world.clock)
    steps = play(world, (0.0, "a-0", 1), (0.0, "a-0", 1), (0.25, "a-1", 1), (0.5, "a-0", 1), (0.75, "b-0", 1))
    assert steps == [("a", 0, 0.0, 0.0, 1.0), ("a", 1, 0.5, 1.0, 2.0)]
    assert len(world.cloud.inbox) == 0
    assert [upload.device for upload in world.agent.uploads] == ["a-0", "a-0", "a-1", "a-0", "b-0"]


def test_uploads_without_room_are_refused_and_counted():
    world = make(inbox={"capacity": 2})
    steps = play(world, *FIVE_UPLOADS)
    assert [ready for _, _, ready, _, _ in steps] == [0.0, 0.1, 0.2]
    assert (world.cloud.refused, world.cloud.lost) == ({"a-1": 2}, {})


def test_a_full_inbox_refuses_nothing_that_can_be_taken_in_at_once():
    world = make(accelerators=2, inbox={"capacity": 1})
    play(world, (0.0, "a-0", 4), (0.5, "a-1", 1), (1.0, "b-0", 2))
    assert (len(world.rows), world.cloud.refused) == (3, {})


def test_of_the_inbox_questions_alone_survive_a_reset():
    world = make(inbox={})
    play(world, (0.0, "a-0", 2), until=1.0)
    world.cloud.receive(samples("b-0", 1))
    world.cloud.receive(replace(samples("b-0", 1), asks=True))
    world.cloud.begin_anew(world.agent, world.cloud.versions)
    world.clock.run()
    assert [(upload.device, upload.stale) for upload in world.agent.uploads] == [
        ("a-0", False),
        ("b-0", True),
    ]


def events(world):
    return [(row["time_s"], row["event"], row["accelerators"]) for row in world.cloud.events]


def test_accelerators_come_and_go_with_the_load():
    """Three students, of which one may wait for each accelerator; the second takes a second to start."""
    world = make(publishes=False, autoscaling={"most_accelerators": 2, "start_up_s": 1.0, "idle_s": 3.0})
    world.agent.student_of = {"a-0": "a", "a-1": "c", "b-0": "b"}
    world.cloud.start()
    steps = play(world, (0.0, "a-0", 4), (0.5, "a-1", 4), (0.75, "b-0", 1), (20.0, "b-0", 1))
    assert steps == [
        ("a", 0, 0.0, 0.0, 4.0),
        ("b", 0, 0.75, 4.0, 5.0),
        ("c", 0, 0.5, 1.75, 5.75),
        ("b", 1, 20.0, 20.0, 21.0),
    ]
    assert events(world) == [
        (0.0, "started", 1),
        (0.75, "accelerator_starting", 2),
        (1.75, "accelerator_ready", 2),
        (8.0, "accelerator_stopped", 1),  # idle since 5 s
    ]


def test_what_waits_for_its_own_student_asks_for_no_accelerator():
    world = make(autoscaling={"most_accelerators": 3, "waiting_per_accelerator": 0.0})
    world.cloud.start()
    play(world, (0.0, "a-0", 4), (0.5, "a-1", 4), (1.0, "a-1", 4))
    assert events(world) == [(0.0, "started", 1)]


def join(device, held, epoch=0):
    return Message("join", device, held.to_bytes(4, "little"), epoch=epoch)


def test_a_device_that_joins_is_sent_the_newest_version_if_it_holds_an_older_one():
    world = make()
    world.cloud.receive(join("a-1", 0))
    play(world, (0.0, "a-0", 1), (0.0, "a-0", 1))
    for link in world.links.values():
        link.sent.clear()
    for message in (join("a-1", 2), join("a-1", 1), join("b-0", 0), join("a-0", 0, epoch=1)):
        world.cloud.receive(message)
    assert world.links["a-0"].sent == world.links["b-0"].sent == []
    ((time, size, message),) = world.links["a-1"].sent
    assert (time, size, message.kind, message.device, message.version) == (2.0, 12, "update", "a-1", 2)
    assert message.state.tolist() == (SOURCE + 2).tolist()
    assert message.state is world.cloud.newest["a"].state
    assert len(world.agent.uploads) == 2


def test_a_device_that_joins_is_not_sent_twice_what_is_on_its_way_already():
    world = make()
    play(world, (0.0, "a-0", 1), (0.0, "a-0", 1))
    for device, newest_sent in (("a-0", 2), ("a-1", 1)):
        link = world.links[device]
        link.unfinished = [SimpleNamespace(content=message) for _, _, message in link.sent[:newest_sent]]
        link.sent.clear()
        world.cloud.receive(join(device, 0))
    assert world.links["a-0"].sent == []
    assert [message.version for _, _, message in world.links["a-1"].sent] == [2]


def test_a_device_that_joins_waits_for_the_next_version_where_the_cloud_does_not_help_it_to_catch_up():
    world = make(catches_up=False)
    play(world, (0.0, "a-0", 1))
    world.links["a-1"].sent.clear()
    world.cloud.receive(join("a-1", 0))
    assert world.links["a-1"].sent == []


def test_after_a_reset_there_is_no_version_to_catch_up_with():
    world = make()
    play(world, (0.0, "a-0", 1))
    world.links["a-1"].sent.clear()
    world.cloud.begin_anew(world.agent, {student: VersionLog() for student in "ab"})
    world.cloud.receive(join("a-1", 0, epoch=1))
    assert world.links["a-1"].sent == []


@dataclass
class Learner:
    """Each student is the number of its steps; a step takes as many seconds as the first pixel says."""

    steps: dict = field(default_factory=dict)

    def receive(self, upload):
        student, seconds = STUDENT_OF[upload.device], int(upload.images.flat[0])
        return [Step(student, "batch", lambda: Work(1, 0, seconds * 10**9, partial(self.learn, student)))]

    def learn(self, student):
        number = self.steps[student] = self.steps.get(student, 0) + 1
        return Outcome(version=Version(student, number, SOURCE + number, SOURCE, (slice(0, 3),)))


def crashing(at_s, checkpoint_every_s=4.0, **more):
    crashes = {"at_s": at_s, "restart_s": 2.0, "checkpoint_every_s": checkpoint_every_s}
    world = make(crashes=crashes, **more)
    world.cloud.agent = Learner()
    world.cloud.start()
    return world


BEFORE = [(0.0, "a-0", 1), (3.5, "a-0", 2), (4.5, "b-0", 1), (4.75, "a-1", 1)]
AFTER = [(7.5, "a-0", 1), (9.0, "a-1", 1)]


def outcomes(world):
    names = ("student", "step", "status", "start_s", "finish_s", "version", "flops")
    return [tuple(row[name] for name in names) for row in world.rows]


def held(world, device):
    """When the device was sent which version, and how many steps that has behind it."""
    return [(time, m.version, float(m.state[0] - SOURCE[0])) for time, _, m in world.links[device].sent]


def test_a_crash_loses_what_runs_and_waits_and_goes_back_to_the_last_checkpoint():
    """The step that runs at the checkpoint of 4 s is done by 5.5 s, and so is the checkpoint by the crash at 6 s."""
    world = crashing([6.0])
    play(world, *BEFORE, *AFTER, until=11.0)
    assert outcomes(world) == [
        ("a", 0, "finished", 0.0, 1.0, 1, 10**9),
        ("a", 1, "finished", 3.5, 5.5, 2, 2 * 10**9),
        ("b", 0, "lost", 5.5, 6.0, None, 0),
        ("a", 2, "lost", None, 6.0, None, 0),
        ("a", 3, "finished", 9.0, 10.0, 3, 10**9),
    ]
    assert held(world, "a-1") == [(1.0, 1, 1.0), (5.5, 2, 2.0), (10.0, 3, 3.0)]
    assert world.links["b-0"].sent == []
    assert world.cloud.lost == {"a-0": 1}  # it arrived at 7.5 s
    assert events(world) == [
        (0.0, "started", 1),
        (4.0, "checkpoint", 1),
        (6.0, "crashed", 0),
        (8.0, "restarted", 1),
    ]


def test_a_checkpoint_that_is_not_complete_does_not_count_and_versions_go_on():
    """At 5 s the step of the checkpoint's time still runs: what follows the restart begins with the deployed model."""
    world = crashing([5.0])
    play(world, *BEFORE, *AFTER, until=11.0)
    assert outcomes(world)[1:] == [
        ("a", 1, "lost", 3.5, 5.0, None, 0),
        ("b", 0, "lost", None, 5.0, None, 0),
        ("a", 2, "lost", None, 5.0, None, 0),
        ("a", 3, "finished", 7.5, 8.5, 2, 10**9),
        ("a", 4, "finished", 9.0, 10.0, 3, 10**9),
    ]
    assert held(world, "a-0") == [(1.0, 1, 1.0), (8.5, 2, 1.0), (10.0, 3, 2.0)]
    assert world.cloud.versions["a"].published == [0, SECOND, 8.5 * SECOND, 10 * SECOND]


def test_a_second_crash_goes_back_to_the_same_checkpoint():
    world = crashing([2.0, 6.0], checkpoint_every_s=None)
    play(world, (0.0, "a-0", 1), (4.5, "a-0", 1), (8.5, "a-0", 1), until=10.0)
    assert held(world, "a-0") == [(1.0, 1, 1.0), (5.5, 2, 1.0), (9.5, 3, 1.0)]


def test_a_crash_loses_the_inbox():
    world = crashing([1.5], inbox={})
    play(world, *FIVE_UPLOADS, until=10.0)
    assert [row["status"] for row in world.rows] == ["finished", "lost"]
    assert world.cloud.lost == {"a-0": 1, "a-1": 2}


def test_a_device_that_joins_after_a_crash_is_sent_what_the_cloud_remembers():
    """The version of 5.5 s is younger than the checkpoint; the one before it is in it."""
    world = crashing([6.0])
    play(world, *BEFORE, until=9.0)
    for device in ("a-0", "a-1"):
        world.links[device].sent.clear()
    world.cloud.receive(join("a-0", 0))
    world.cloud.receive(join("a-1", 1))
    assert held(world, "a-0") == [(9.0, 1, 1.0)]
    assert held(world, "a-1") == []


def test_a_restart_after_a_reset_goes_back_no_further_than_the_reset():
    world = crashing([6.0])
    play(world, (0.0, "a-0", 1), until=5.0)
    fresh = Learner({"a": 10})
    world.cloud.begin_anew(fresh, {student: VersionLog() for student in "ab"})
    world.clock.run(until=9 * SECOND)
    world.cloud.receive(replace(samples("a-0", 1), epoch=1))
    world.clock.run(until=11 * SECOND)
    assert held(world, "a-0") == [(1.0, 1, 1.0), (10.0, 1, 11.0)]


def test_extra_accelerators_are_gone_after_a_crash():
    world = crashing([3.0], autoscaling={"most_accelerators": 2, "waiting_per_accelerator": 0.0})
    play(world, (0.0, "a-0", 9), (1.0, "b-0", 9), (6.0, "a-0", 1), until=8.0)
    assert events(world) == [
        (0.0, "started", 1),
        (1.0, "accelerator_starting", 2),
        (1.0, "accelerator_ready", 2),
        (3.0, "crashed", 0),
        (5.0, "restarted", 1),
    ]
