from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.criteria._chain import KEPT
from models.strategies._interface import LOCAL, Decision, DeviceName
from scenarios.fleet import Group
from scenarios.world import Shift
from sim.clock import SECOND, Clock
from sim.conclusions import Conclusions
from sim.device import Device
from sim.life import Absence, history
from sim.messages import Message, joining, unpack
from sim.versions import VersionLog
from sim.world import Batch

SAMPLES = 2
END = 100 * SECOND


class Rows(list):
    def add(self, **row):
        self.append(row)


@dataclass
class FakeStream:
    """Batches of two images at given seconds."""

    arrivals: list[float]

    def batches(self):
        for number, arrival in enumerate(self.arrivals):
            indices = np.arange(SAMPLES) + SAMPLES * number
            yield Batch(number, round(arrival * SECOND), indices, indices % 10, Shift())

    unreadable: dict[int, list[int]] = field(default_factory=dict)

    def render(self, batch):
        readable = np.array([i not in self.unreadable.get(batch.number, []) for i in range(len(batch))])
        images = np.zeros((readable.sum(), 4, 4, 1), np.uint8) + batch.number
        return SimpleNamespace(result=lambda: (images, readable))

    def damaged(self, batch):
        return {f"{batch.number}.png": "cut short"}


@dataclass
class FakePending:
    """A forward pass whose result holds the images."""

    images: np.ndarray
    done: bool = False

    def result(self):
        self.done = True
        return SimpleNamespace(images=self.images, forward_pass=None)


@dataclass
class FakeAgent:
    """Predicts class 0, takes a gigaflop for each sample and notes what it is asked to do."""

    clock: Clock
    decide: object = None
    version: int = 0
    calls: list = field(default_factory=list)
    asks: bool = False
    consequential: bool = True

    def flops(self, samples):
        return samples * 10**9

    def forward(self, images):
        self.note("forward", int(images.flat[0]))
        if self.asks:
            return None
        return FakePending(images)

    def conclude(self, forward):
        images = forward.images
        self.note("conclude", int(images.flat[0]))
        logits = torch.zeros(len(images), 10)
        logits[:, 0] = 1.0
        return self.decide(logits) if self.decide else Decision(logits, [LOCAL] * len(images))

    def receive(self, number, state):
        self.note("swap", number)
        self.version = number

    def note(self, what, number):
        self.calls.append((self.clock.time / SECOND, what, number))


class FakeLink:
    def __init__(self):
        self.sent = []

    def send(self, size, message):
        self.sent.append((size, message))

    def forget(self):
        pass  # nothing waits here


def make(
    arrivals,
    decide=None,
    capacity=4,
    overflow="drop_oldest",
    seconds_a_batch=1.0,
    versions=None,
    life=None,
    away=None,
    skip_after_s=None,
):
    """A device that takes `seconds_a_batch` for each batch."""
    settings = Group.model_validate(
        {
            "stream": {"rate_hz": 1.0},
            "compute": {"gflops": SAMPLES / seconds_a_batch},
            "queue": {"capacity": capacity, "overflow": overflow, "skip_after_s": skip_after_s},
            "life": life,
            "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
            "upload_codec": "raw",
        }
    )
    clock = Clock()
    agent = FakeAgent(clock, decide)
    name, conclusions = DeviceName("camera-0", "camera"), Conclusions(2 * SAMPLES)
    device = Device(
        clock,
        name,
        settings,
        FakeStream(arrivals),
        agent,
        versions,
        Rows(),
        conclusions,
        lambda: FakeAgent(clock, decide, calls=agent.calls),
        iter(away)
        if away is not None
        else settings.life and history(settings.life, lambda: np.random.default_rng(0), END),
    )
    device.connect(FakeLink(), FakeLink())
    device.start()
    return device


def rows(device):
    """What became of each batch: its number, status, arrival, start and completion."""
    found = ((r["batch"], r["status"], r["arrival_s"], r["start_s"], r["completion_s"]) for r in device.table)
    return sorted(found)


def update(number):
    return Message("update", "camera-0", b"", version=number, state=np.zeros(1, np.float32))


def test_batches_are_predicted_one_after_another():
    device = make([0.0, 0.5, 4.0])
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "predicted", 0.5, 1.0, 2.0),
        (2, "predicted", 4.0, 4.0, 5.0),
    ]


def test_a_full_queue_drops_the_oldest():
    device = make([0.0, 0.1, 0.2, 0.3, 0.4], capacity=2)
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "dropped", 0.1, None, None),
        (2, "dropped", 0.2, None, None),
        (3, "predicted", 0.3, 1.0, 2.0),
        (4, "predicted", 0.4, 2.0, 3.0),
    ]


def test_a_full_queue_drops_the_newest():
    device = make([0.0, 0.1, 0.2, 0.3, 0.4], capacity=2, overflow="drop_newest")
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "predicted", 0.1, 1.0, 2.0),
        (2, "predicted", 0.2, 2.0, 3.0),
        (3, "dropped", 0.3, None, None),
        (4, "dropped", 0.4, None, None),
    ]


def test_an_idle_device_loses_nothing_with_a_queue_of_one():
    device = make([0.0, 1.5, 3.0, 3.25, 5.5], capacity=1)
    device.clock.run()
    assert [status for _, status, *_ in rows(device)] == ["predicted"] * 5


def test_batches_of_one_moment_are_taken_in_order():
    device = make([1.0, 1.0, 1.0], capacity=2)
    device.clock.run()
    assert [start for *_, start, _ in rows(device)] == [1.0, 2.0, 3.0]


def test_an_instant_device_completes_on_arrival():
    device = make([0.0, 0.5, 0.5])
    device.settings = device.settings.model_copy(
        update={"compute": device.settings.compute.model_copy(update={"gflops": float("inf")})}
    )
    device.clock.run()
    assert [row[2:] for row in rows(device)] == [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)]


def test_the_fixed_cost_comes_with_each_batch():
    device = make([0.0])
    compute = device.settings.compute.model_copy(update={"overhead_ms": 250.0})
    device.settings = device.settings.model_copy(update={"compute": compute})
    device.clock.run()
    assert rows(device) == [(0, "predicted", 0.0, 0.0, 1.25)]
    assert device.busy == 1.25 * SECOND


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_counts_balance_at_every_event(overflow):
    arrivals = np.random.default_rng(0).exponential(0.6, 60).cumsum().tolist()
    device = make(arrivals, capacity=2, overflow=overflow)
    counts, seen = device.counts, set()
    while device.clock.peek() != float("inf"):
        device.clock.step()
        assert counts.arrived == counts.predicted + counts.queued + counts.in_progress + counts.dropped
        assert 0 <= counts.queued <= 2 * SAMPLES
        assert counts.in_progress in (0, SAMPLES)
        seen.add((counts.queued, counts.in_progress, counts.dropped > 0))
    assert {(0, 0, False), (2 * SAMPLES, SAMPLES, True)} <= seen
    assert counts.arrived == 60 * SAMPLES == counts.predicted + counts.dropped
    tallies = dict.fromkeys(("predicted", "dropped"), 0)
    for row in device.table:
        tallies[row["status"]] += row["samples"]
    assert tallies == {"predicted": counts.predicted, "dropped": counts.dropped}


def test_the_end_of_the_run_leaves_batches_undone():
    device = make([0.0, 0.1, 0.2, 9.0])
    device.clock.run(until=round(1.5 * SECOND))
    device.finish()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "in_progress", 0.1, 1.0, None),
        (2, "queued", 0.2, None, None),
    ]
    counts = device.counts
    assert (counts.arrived, counts.predicted, counts.in_progress, counts.queued) == (6, 2, 2, 2)
    assert (device.busy, device.flops) == (1.5 * SECOND, 2 * 10**9)


def test_a_version_is_swapped_in_between_batches():
    device = make([0.0, 0.5, 5.0])
    device.clock.call_at(round(0.2 * SECOND), lambda: device.receive(update(1)))
    device.clock.call_at(round(3.0 * SECOND), lambda: device.receive(update(2)))
    device.clock.run()
    assert device.agent.calls == [
        (0.0, "forward", 0),
        (1.0, "conclude", 0),
        (1.0, "swap", 1),
        (1.0, "forward", 1),
        (2.0, "conclude", 1),
        (5.0, "swap", 2),
        (5.0, "forward", 2),
        (6.0, "conclude", 2),
    ]
    assert [row["version"] for row in device.table] == [0, 1, 2]


def test_the_newest_version_replaces_one_that_waits():
    device = make([0.0, 0.5])
    for time, number in ((0.2, 1), (0.6, 2)):
        device.clock.call_at(round(time * SECOND), lambda n=number: device.receive(update(n)))
    device.clock.run()
    assert [call for call in device.agent.calls if call[1] == "swap"] == [(1.0, "swap", 2)]


def test_a_version_that_a_newer_one_has_overtaken_is_left_alone():
    device = make([0.0, 2.0, 4.0])
    for time, number in ((0.2, 2), (0.3, 1), (2.5, 1), (2.6, 2), (2.7, 3)):
        device.clock.call_at(round(time * SECOND), lambda n=number: device.receive(update(n)))
    device.clock.run()
    assert [call for call in device.agent.calls if call[1] == "swap"] == [(2.0, "swap", 2), (4.0, "swap", 3)]


def test_age_and_lag_of_the_version_are_those_at_the_start():
    versions = VersionLog()
    for number, time in enumerate((0.25, 0.5, 1.5), start=1):
        versions.publish(number, round(time * SECOND))
    device = make([0.75], versions=versions)
    device.clock.call_at(round(0.6 * SECOND), lambda: device.receive(update(1)))
    device.clock.run()
    (row,) = device.table
    assert (row["version"], row["version_age_s"], row["versions_behind"]) == (1, 0.5, 1)


def test_without_a_cloud_versions_have_no_age():
    device = make([0.75])
    device.clock.run()
    (row,) = device.table
    assert (row["version"], row["version_age_s"], row["versions_behind"]) == (0, None, None)


def test_a_prediction_is_recorded_with_its_parents():
    device = make([0.0])
    device.clock.run()
    (row,) = device.table
    assert row["image"] == [0, 1]
    assert row["label"] == [0, 1]
    assert row["prediction"] == [0, 0]
    assert (row["correct"], device.counts.correct) == (1, 1)
    assert row["verdict"] == [LOCAL, LOCAL]
    share = torch.tensor([1.0] + [0.0] * 9).softmax(0)
    assert row["entropy"] == pytest.approx([float(-(share * share.log()).sum())] * 2)


def test_what_is_kept_is_sent_in_one_message():
    device = make([0.0, 2.0], lambda logits: Decision(logits, [KEPT, "redundant"]))
    device.clock.run()
    assert [size for size, _ in device.uplink.sent] == [4 + 16] * 2
    first, second = (message for _, message in device.uplink.sent)
    assert (first.kind, first.device, first.samples) == ("samples", "camera-0", 1)
    assert unpack(second.payload) == [b"\x01" * 16]  # the first image of batch 1
    assert device.counts.uploaded == 2
    assert [row["kept"] for row in device.table] == [1, 1]


def test_nothing_kept_is_nothing_sent():
    device = make([0.0])
    device.clock.run()
    assert device.uplink.sent == []


def test_a_batch_can_be_announced_without_images():
    device = make([0.0], lambda logits: Decision(logits, [LOCAL, LOCAL], announce=True))
    device.clock.run()
    assert device.uplink.sent == [(0, Message("samples", "camera-0", b"", samples=0, batch=0, images=[]))]


def test_a_message_keeps_no_more_images_than_it_carries():
    device = make([0.0], lambda logits: Decision(logits, [KEPT, LOCAL]))
    device.clock.run()
    ((_, message),) = device.uplink.sent
    assert [image.base for image in message.images] == [None]


def test_statistics_go_ahead_of_the_images():
    statistics = np.array([1.5, -2.0], np.float32)
    device = make([0.0], lambda logits: Decision(logits, [KEPT, KEPT], statistics))
    device.clock.run()
    assert [message.kind for _, message in device.uplink.sent] == ["statistics", "samples"]
    assert np.frombuffer(device.uplink.sent[0][1].payload, "<f4").tolist() == [1.5, -2.0]


def test_images_are_sent_when_the_prediction_is_done():
    device = make([0.0], lambda logits: Decision(logits, [KEPT, KEPT]))
    device.clock.run(until=SECOND)
    assert device.uplink.sent == []
    device.clock.run(until=SECOND + 1)
    assert len(device.uplink.sent) == 1


def test_a_device_that_asks_the_cloud_completes_a_batch_when_its_answer_arrives():
    device = make([0.0, 0.5])
    device.agent.asks = True
    device.clock.run(until=SECOND)
    assert [(message.kind, message.batch) for _, message in device.uplink.sent] == [
        ("samples", 0),
        ("samples", 1),
    ]
    assert (device.counts.in_progress, device.counts.predicted, device.counts.uploaded) == (4, 0, 4)
    logits = torch.eye(10)[:SAMPLES]
    device.clock.call_at(
        3 * SECOND,
        lambda: device.receive(Message("answer", "camera-0", b"", SAMPLES, batch=1, logits=logits)),
    )
    device.clock.run(until=4 * SECOND)
    device.finish()
    assert rows(device) == [(0, "in_progress", 0.0, 0.0, None), (1, "predicted", 0.5, 0.5, 3.0)]
    assert (device.counts.in_progress, device.counts.predicted, device.busy, device.flops) == (2, 2, 0, 0)


def test_what_the_criteria_remember_is_recorded():
    device = make([0.0], lambda logits: Decision(logits, [LOCAL, LOCAL], state={"unreliable.e_max": 0.5}))
    device.clock.run()
    assert device.table[0]["criteria_state"] == [("unreliable.e_max", 0.5)]


def test_an_image_that_cannot_be_read_is_left_out_of_its_batch():
    device = make([0.0, 2.0], lambda logits: Decision(logits, [KEPT] * len(logits)))
    device.stream.unreadable = {0: [1]}
    device.clock.run()
    first, second = device.table
    assert (first["samples"], first["damaged"], first["image"]) == (1, 1, [0])
    assert (second["samples"], second["damaged"]) == (2, 0)
    assert first["completion_s"] == 0.5  # the pass is of one image
    assert [message.samples for _, message in device.uplink.sent] == [1, 2]
    counts = device.counts
    assert (counts.arrived, counts.predicted, counts.damaged, counts.in_progress) == (4, 3, 1, 0)
    assert device.damaged == {"0.png": "cut short"}


def test_a_batch_without_a_readable_image_is_not_predicted():
    device = make([0.0, 0.0])
    device.stream.unreadable = {0: [0, 1]}
    device.clock.run()
    assert rows(device) == [(0, "damaged", 0.0, 0.0, None), (1, "predicted", 0.0, 0.0, 1.0)]
    assert [what for _, what, number in device.agent.calls if number == 0] == []
    assert (device.counts.damaged, device.counts.in_progress) == (2, 0)


def test_a_device_that_begins_anew_keeps_nothing_of_its_past():
    device = make([0.0, 1.5], lambda logits: Decision(logits, [KEPT, KEPT]), versions=VersionLog([0, 1]))
    old, new = device.agent, FakeAgent(device.clock)
    device.receive(update(1))
    device.clock.run(until=SECOND // 2)
    device.receive(update(1))
    device.begin_anew(new, VersionLog())
    device.receive(update(1))  # sent before
    device.clock.run(until=2 * SECOND)
    assert old.calls == [(0.0, "swap", 1), (0.0, "forward", 0), (1.0, "conclude", 0)]
    assert new.calls == [(1.5, "forward", 1)]
    assert device.uplink.sent == []  # what was begun before is not worth sending
    assert [row["version"] for row in device.table] == [1]


def test_a_batch_that_is_too_old_when_its_turn_comes_is_dropped():
    device = make([0.0, 0.5, 0.75, 1.5], skip_after_s=0.5, seconds_a_batch=1.25)
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.25),
        (1, "dropped", 0.5, None, None),  # 0.75 s old at 1.25
        (2, "predicted", 0.75, 1.25, 2.5),  # as old as it may be
        (3, "dropped", 1.5, None, None),
    ]
    assert (device.counts.predicted, device.counts.dropped, device.counts.queued) == (4, 4, 0)


def test_latency_is_from_arrival_to_completion_and_so_includes_the_queue():
    device = make([0.0, 0.25])
    device.clock.run()
    assert [row["completion_s"] - row["arrival_s"] for row in device.table] == [1.0, 1.75]


def sent(device):
    return [(message.kind, message.batch) for _, message in device.uplink.sent]


def test_joining_late_leaving_and_coming_back():
    """It is there from 2 to 4.5, while the batch of 4 is done until 5, and from 8 on; that of 4.25 waits until then."""
    away = [Absence(0, 2 * SECOND, crashed=False), Absence(9 * SECOND // 2, 8 * SECOND, crashed=False)]
    device = make([0.0, 2.0, 4.0, 4.25, 4.5, 8.0, 9.5], versions=VersionLog(), away=away)
    device.clock.run()
    assert rows(device) == [
        (0, "missed", 0.0, None, None),
        (1, "predicted", 2.0, 2.0, 3.0),
        (2, "predicted", 4.0, 4.0, 5.0),
        (3, "predicted", 4.25, 8.0, 9.0),
        (4, "missed", 4.5, None, None),
        (5, "predicted", 8.0, 9.0, 10.0),
        (6, "predicted", 9.5, 10.0, 11.0),
    ]
    assert device.uplink.sent == [(4, joining("camera-0", 0, 0))] * 2
    counts = device.counts
    assert (counts.arrived, counts.predicted, counts.missed, counts.lost) == (14, 10, 4, 0)
    assert device.presence.present(12 * SECOND) == (3 + 4) * SECOND


def crashing(state, decide=None):
    """A device that is at batch 1 of three, holding version 1, when it crashes at 1.5; it is back at 4."""
    life = {"crashes_s": [1.5], "restart_s": 2.5, "state": state}
    device = make([0.0, 0.5, 0.75, 3.0, 6.0], decide, versions=VersionLog([0, 0, 0]), life=life)
    device.clock.call_at(SECOND // 10, lambda: device.receive(update(1)))
    return device


def test_a_crash_that_keeps_the_state_loses_the_batch_in_progress():
    device = crashing("kept", lambda logits: Decision(logits, [KEPT, LOCAL]))
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "lost", 0.5, 1.0, None),
        (2, "predicted", 0.75, 4.0, 5.0),
        (3, "missed", 3.0, None, None),
        (4, "predicted", 6.0, 6.0, 7.0),
    ]
    assert device.agent.calls == [
        (0.0, "forward", 0),
        (1.0, "conclude", 0),
        (1.0, "swap", 1),
        (1.0, "forward", 1),  # never concluded
        (4.0, "forward", 2),
        (5.0, "conclude", 2),
        (6.0, "forward", 4),
        (7.0, "conclude", 4),
    ]
    assert sent(device) == [("samples", 0), ("join", None), ("samples", 2), ("samples", 4)]
    assert device.uplink.sent[1] == (4, joining("camera-0", 1, 0))
    counts = device.counts
    assert (counts.arrived, counts.predicted, counts.missed, counts.lost) == (10, 6, 2, 2)
    assert device.busy == 3.5 * SECOND
    assert device.flops == 3 * SAMPLES * 10**9
    assert device.presence.present(8 * SECOND) == 5.5 * SECOND


def test_a_crash_that_loses_the_state_leaves_a_device_as_deployed():
    device = crashing("lost", lambda logits: Decision(logits, [KEPT, LOCAL]))
    device.clock.call_at(5 * SECOND, lambda: device.receive(update(2)))
    device.clock.run()
    assert rows(device) == [
        (0, "predicted", 0.0, 0.0, 1.0),
        (1, "lost", 0.5, 1.0, None),
        (2, "lost", 0.75, None, None),
        (3, "missed", 3.0, None, None),
        (4, "predicted", 6.0, 6.0, 7.0),
    ]
    assert {row["batch"]: row["version"] for row in device.table} == {0: 0, 1: 1, 2: None, 3: None, 4: 2}
    assert device.uplink.sent[1] == (4, joining("camera-0", 0, 0))
    assert device.agent.calls[-3:] == [(6.0, "swap", 2), (6.0, "forward", 4), (7.0, "conclude", 4)]
    counts = device.counts
    assert (counts.predicted, counts.missed, counts.lost, counts.queued) == (4, 2, 4, 0)


def test_an_update_that_waits_survives_a_crash_with_the_state_alone():
    for state, version in (("kept", 1), ("lost", 0)):
        life = {"crashes_s": [0.5], "restart_s": 1, "state": state}
        device = make([0.0, 2.0], versions=VersionLog([0, 0]), life=life)
        device.clock.call_at(SECOND // 10, lambda device=device: device.receive(update(1)))
        device.clock.run()
        assert device.uplink.sent == [(4, joining("camera-0", version, 0))]
        assert [row["version"] for row in device.table] == [0, version]


def test_a_crash_at_the_moment_of_completion_loses_the_batch():
    device = make([0.0], life={"crashes_s": [1], "restart_s": 1})
    device.clock.run()
    assert rows(device) == [(0, "lost", 0.0, 0.0, None)]
    assert (device.busy, device.flops) == (SECOND, 0)


def test_a_device_that_crashes_while_it_waits_loses_nothing():
    device = make([0.0, 5.0], life={"crashes_s": [2], "restart_s": 1, "state": "lost"})
    device.clock.run()
    assert [status for _, status, *_ in rows(device)] == ["predicted", "predicted"]


def test_without_a_cloud_that_publishes_nobody_is_told_of_a_return():
    device = make([0.0], life={"joins_s": 1})
    device.clock.run()
    assert device.uplink.sent == []


def test_what_arrives_while_a_device_is_away_is_lost():
    device = make([0.0, 5.0], versions=VersionLog([0, 0]), life={"crashes_s": [2], "restart_s": 2})
    device.clock.call_at(3 * SECOND, lambda: device.receive(update(1)))
    device.clock.run()
    assert [row["version"] for row in device.table] == [0, 0]


def test_answers_to_a_device_that_crashed_come_too_late():
    device = make([0.0, 5.0], life={"crashes_s": [1], "restart_s": 2})
    device.agent.asks = True
    logits = torch.eye(10)[:SAMPLES]
    for time, number in ((4, 0), (6, 1)):
        answer = Message("answer", "camera-0", b"", SAMPLES, batch=number, logits=logits)
        device.clock.call_at(time * SECOND, lambda answer=answer: device.receive(answer))
    device.clock.run()
    assert rows(device) == [(0, "lost", 0.0, 0.0, None), (1, "predicted", 5.0, 5.0, 6.0)]
    assert (device.counts.in_progress, device.counts.lost, device.counts.predicted) == (0, 2, 2)


def test_an_answer_to_a_device_that_has_left_is_lost_with_its_batch():
    device = make([0.0], life={"leaves_s": 1})
    device.agent.asks = True
    answer = Message("answer", "camera-0", b"", SAMPLES, batch=0, logits=torch.eye(10)[:SAMPLES])
    device.clock.call_at(2 * SECOND, lambda: device.receive(answer))
    device.clock.run(until=3 * SECOND)
    assert rows(device) == [(0, "lost", 0.0, 0.0, None)]
    assert (device.counts.in_progress, device.counts.lost) == (0, 2)


def test_a_batch_lost_in_a_crash_is_never_concluded_later():
    device = make([0.0, 1.0], life={"crashes_s": [1.5], "restart_s": 1})
    device.agent.consequential = False
    device.clock.run()
    device.conclusions.settle()
    assert rows(device) == [(0, "predicted", 0.0, 0.0, 1.0), (1, "lost", 1.0, 1.0, None)]
    assert [number for _, what, number in device.agent.calls if what == "conclude"] == [0]


def test_a_reset_while_a_device_is_away_is_found_when_it_is_back():
    device = make([0.0, 3.0], versions=VersionLog([0, 0]), life={"crashes_s": [1.5], "restart_s": 1})
    device.clock.call_at(SECOND // 2, lambda: device.receive(update(1)))
    new = FakeAgent(device.clock)
    device.clock.call_at(2 * SECOND, lambda: device.begin_anew(new, VersionLog()))
    device.clock.run()
    assert device.uplink.sent == [(4, joining("camera-0", 0, 1))]
    assert new.calls == [(3.0, "forward", 1), (4.0, "conclude", 1)]


@settings(max_examples=60)
@given(
    gaps=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=25),
    crashes=st.lists(st.tuples(st.floats(0.01, 4.0), st.floats(0.01, 4.0), st.booleans()), max_size=8),
    state=st.sampled_from(["kept", "lost"]),
    skip_after_s=st.none() | st.floats(0.0, 2.0),
    consequential=st.booleans(),
)
def test_every_batch_is_accounted_for_at_every_event_of_any_life(
    gaps, crashes, state, skip_after_s, consequential
):
    away, time = [], 0
    for up, down, crashed in crashes:
        begin = time + round(up * SECOND)
        time = begin + round(down * SECOND)
        away.append(Absence(begin, time, crashed))
    life = {"crashes_s": [1], "restart_s": 1, "state": state}  # the moments are those in `away`
    arrivals = np.cumsum(gaps).tolist()
    device = make(
        arrivals, capacity=2, versions=VersionLog(), life=life, away=away, skip_after_s=skip_after_s
    )
    device.agent.consequential = consequential
    counts = device.counts
    while device.clock.peek() != float("inf"):
        device.clock.step()
        ends = counts.predicted, counts.dropped, counts.missed, counts.lost
        assert counts.arrived == sum(ends) + counts.queued + counts.in_progress
        assert min(*ends, counts.queued, counts.in_progress) >= 0
        assert 0 <= device.presence.present(device.clock.time) <= device.clock.time
    device.conclusions.settle()
    assert sorted(row["batch"] for row in device.table) == list(range(len(arrivals)))
    assert counts.arrived == SAMPLES * len(arrivals) == sum(ends)
    assert device.busy <= device.presence.present(device.clock.time)
    for row in device.table:
        at = round(row["arrival_s"] * SECOND)
        there = not any(absence.begin <= at < absence.end for absence in away)
        assert there == (row["status"] != "missed")
        if skip_after_s is not None and row["start_s"] is not None:
            assert row["start_s"] - row["arrival_s"] <= skip_after_s + 1e-9
