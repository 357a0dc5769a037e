"""Uploads: golden traces of what a device sends under budgets and at levels of quality, and what becomes of the rest.

Images are raw, 6 x 6 pixels of one value: a message of k of them has a payload of 40 k bytes and a header of 40.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.criteria._chain import KEPT
from models.errors import InputError
from models.strategies._interface import LOCAL, Decision
from scenarios.budgets import Budget as BudgetSettings
from scenarios.fleet import Group
from sim.budget import Budget, limits_of
from sim.clock import SECOND, Clock
from sim.device import Counts
from sim.link import Direction, Link
from sim.messages import unpack
from sim.uploads import Uploads, backlog_s

FORTY_A_SECOND = {"rate_kbps": 0.32, "burst_bytes": 80}
"""A message of one image, 80 bytes, every two seconds."""


def entropy_of(sureness):
    """The entropy of a prediction of two classes whose logits are so far apart: the surer, the lower."""
    p = 1 / (1 + math.exp(-sureness))
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


class NotedLink(Link):
    """A link that remembers what it was handed, and when."""

    def __init__(self, clock, mbps):
        self.handed_over = []
        way = Direction(mbps, header_bytes=40)
        super().__init__(clock, way, lambda: pytest.fail("draws nothing"), lambda _: None, lambda _: None)

    def send(self, payload_bytes, content):
        self.handed_over.append((self.clock.time, content))
        return super().send(payload_bytes, content)


class Camera:
    """The uploads of a device without the device."""

    def __init__(self, name="a", clock=None, budget=None, mbps=math.inf, **group):
        self.name = name
        self.clock = clock or Clock()
        self.link = NotedLink(self.clock, mbps)
        self.counts = Counts()
        self.kept = 0
        described = {
            "stream": {"rate_hz": 1.0},
            "compute": {"gflops": 1.0},
            "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
            "upload_codec": "raw",
            "budget": None if budget is None else "plan",
        }
        settings = Group.model_validate(described | group)
        self.uploads = Uploads(name, settings, self.counts, self.link, budget)

    def offer_at(self, time_s, batch, images, announce=False, statistics=None, side=6):
        """Let a batch be concluded: the value of each image, and how sure its prediction is (None: not kept)."""
        pixels = np.stack([np.full((side, side, 1), value, np.uint8) for value in images])
        logits = torch.tensor([[0.0, sure or 0.0] for sure in images.values()])
        verdicts = [LOCAL if sure is None else KEPT for sure in images.values()]
        decision = Decision(logits, verdicts, statistics, announce)
        arrival = SimpleNamespace(number=batch, arrival=round(time_s * SECOND))

        def offer():
            self.kept += verdicts.count(KEPT)
            self.uploads.offer(arrival, pixels, decision)

        self.clock.call_at(arrival.arrival, offer)

    @property
    def sent(self):
        """When which message was handed over: seconds, number of its batch, values of its images."""
        return [
            (time / SECOND, message.batch, [part[0] for part in unpack(message.payload)])
            for time, message in self.link.handed_over
        ]


def budget(clock, **settings):
    described = BudgetSettings.model_validate(settings)
    return Budget(clock, described, limits_of(described), "plan")


def camera(mbps=math.inf, group=None, **settings):
    """A device with a budget of its own."""
    clock = Clock()
    return Camera(clock=clock, budget=budget(clock, **settings), mbps=mbps, **(group or {}))


def alike(*values):
    """Images of given values, all predicted equally well."""
    return dict.fromkeys(values, 1.0)


def samples(counts):
    return counts.uploaded, counts.withheld, counts.waiting


def test_trace_of_a_bucket_where_the_excess_is_dropped():
    a = camera(rate_kbps=0.32, burst_bytes=160)
    a.offer_at(0, 0, alike(1, 2, 3, 4))  # 200 bytes, of which there are 160
    a.offer_at(1, 1, alike(5))  # 40 bytes have flowed in, and 80 are needed
    a.offer_at(2, 2, alike(6, 7))
    a.clock.run()
    assert a.sent == [(0.0, 0, [1, 2, 3]), (2.0, 2, [6])]
    assert samples(a.counts) == (4, 3, 0)


def test_trace_of_a_bucket_that_samples_wait_for():
    a = camera(rate_kbps=0.32, burst_bytes=160, excess="wait")
    a.offer_at(0, 0, alike(1, 2, 3, 4))
    a.offer_at(1, 1, alike(5, 6))
    a.clock.run(until=4 * SECOND)
    assert samples(a.counts) == (4, 0, 2)
    a.clock.run()
    assert a.sent == [(0.0, 0, [1, 2, 3]), (2.0, 0, [4]), (4.0, 1, [5]), (6.0, 1, [6])]
    assert samples(a.counts) == (6, 0, 0)


def test_trace_of_samples_that_go_together_when_a_period_begins():
    """One message for each batch of origin: 120 and 80 bytes."""
    a = camera(allowance_bytes=200, period_s=10.0, starts_at_s=5.0, excess="wait")
    a.offer_at(0, 0, alike(1, 2))
    a.offer_at(1, 1, alike(3, 4))
    a.clock.run()
    assert a.sent == [(5.0, 0, [1, 2]), (5.0, 1, [3]), (15.0, 1, [4])]


def test_trace_of_a_daily_allowance_that_is_paced():
    """864 000 bytes a day are 10 a second: after what may go ahead, a message of 80 every 8 s."""
    a = camera(allowance_bytes=864_000, pacing="even", ahead_bytes=80, excess="wait")
    for number in range(4):
        a.offer_at(4 * number, number, alike(number))
    a.clock.run()
    assert a.sent == [(0.0, 0, [0]), (8.0, 1, [1]), (16.0, 2, [2]), (24.0, 3, [3])]


def test_trace_of_the_least_informative_being_replaced():
    a = camera(**FORTY_A_SECOND, excess="replace", waiting_samples=2, rank="entropy")
    a.offer_at(0, 0, {10: 3.0, 11: 0.5, 12: 1.0, 13: 2.0})  # 11 goes, 12 and 13 wait, 10 is lost
    a.offer_at(1, 1, {20: 0.2, 21: 4.0})  # 20 and 12 wait, 13 and 21 are lost
    a.clock.run()
    assert a.sent == [(0.0, 0, [11]), (2.0, 1, [20]), (4.0, 0, [12])]
    assert samples(a.counts) == (3, 3, 0)
    told = [message.information for _, message in a.link.handed_over]
    assert told == pytest.approx([entropy_of(0.5), entropy_of(0.2), entropy_of(1.0)], rel=1e-6)


def test_trace_of_a_full_device_that_loses_the_oldest():
    a = camera(**FORTY_A_SECOND, excess="wait", waiting_samples=2)
    a.offer_at(0, 0, alike(1, 2, 3, 4))
    a.offer_at(1, 1, alike(5))
    a.clock.run()
    assert a.sent == [(0.0, 0, [1]), (2.0, 0, [4]), (4.0, 1, [5])]
    assert samples(a.counts) == (3, 2, 0)


def test_trace_of_the_newest_going_first():
    a = camera(**FORTY_A_SECOND, excess="wait", rank="age")
    a.offer_at(0, 0, alike(1, 2, 3))
    a.offer_at(1, 1, alike(4, 5))
    a.clock.run()
    assert a.sent == [(0.0, 0, [1]), (2.0, 1, [4]), (4.0, 1, [5]), (6.0, 0, [2]), (8.0, 0, [3])]


def test_trace_of_a_budget_that_two_devices_share():
    clock = Clock()
    shared = budget(clock, **FORTY_A_SECOND, excess="wait")
    a, b = (Camera(name, clock, shared) for name in "ab")
    a.offer_at(0, 0, alike(1, 2, 3))
    b.offer_at(0, 0, alike(4, 5))
    clock.run()
    assert a.sent == [(0.0, 0, [1]), (2.0, 0, [2]), (6.0, 0, [3])]
    assert b.sent == [(4.0, 0, [4]), (8.0, 0, [5])]


def test_who_comes_later_does_not_overtake_statistics_that_wait():
    """Statistics of 160 bytes wait from 1 s to 4 s; at 3 s there are 120, and the image that needs 80 is given up."""
    clock = Clock()
    shared = budget(clock, rate_kbps=0.32, burst_bytes=160)
    a, b = (Camera(name, clock, shared) for name in "ab")
    for number in (0, 1):
        a.offer_at(number, number, {1: None}, statistics=np.zeros(30, np.float32))
    b.offer_at(3, 0, alike(4))
    b.offer_at(6, 1, alike(5))
    clock.run()
    assert [time / SECOND for time, _ in a.link.handed_over] == [0.0, 4.0]
    assert b.sent == [(6.0, 1, [5])]
    assert samples(b.counts) == (1, 1, 0)


def test_who_is_away_lets_others_pass_and_waits_at_the_end_of_the_line_when_back():
    """An image's 80 bytes flow in every 2 s; `a` is first in the line when it goes at 1 s, and is back at 5 s."""
    clock = Clock()
    shared = budget(clock, rate_kbps=0.32, burst_bytes=80, excess="wait")
    a, b = (Camera(name, clock, shared) for name in "ab")
    a.offer_at(0, 0, alike(1, 2, 3))
    b.offer_at(0, 0, alike(4, 5, 6))
    clock.call_at(SECOND, a.uploads.pause)
    clock.call_at(5 * SECOND, a.uploads.resume)
    clock.run()
    assert a.sent == [(0.0, 0, [1]), (8.0, 0, [2]), (10.0, 0, [3])]
    assert b.sent == [(2.0, 0, [4]), (4.0, 0, [5]), (6.0, 0, [6])]


@pytest.mark.parametrize("rank", ["entropy", "arrival"])
def test_who_adds_better_samples_all_the_time_holds_up_nobody(rank):
    """40 bytes flow in each second. `a` has an image of 188 bytes wait, and adds one of 48 that ranks higher again and
    again; the first of them goes at 1.3 s, and then it is the turn of `b`, whose 188 are there at 5.6 s.
    """
    clock = Clock()
    shared = budget(clock, rate_kbps=0.32, burst_bytes=200, excess="wait", rank=rank, per="fleet")
    a, b = (Camera(name, clock, shared) for name in "ab")
    a.offer_at(0, 0, {1: 3.0, 2: 3.0}, side=12)
    b.offer_at(0.1, 0, {3: 3.0}, side=12)
    for number in range(20):
        a.offer_at(1.3 + 1.3 * number, 1 + number, {10 + number: 0.1}, side=2)
    clock.run()
    (sent,) = b.sent
    assert sent == {"entropy": (5.6, 0, [3]), "arrival": (9.1, 0, [3])}[rank]


@pytest.mark.parametrize("excess", ["drop", "wait", "replace"])
def test_what_is_offered_while_away_is_charged_when_it_is_back(excess):
    """A device that leaves finishes its batch first. An image takes 80 bytes, which flow in every 2 s."""
    a = camera(rate_kbps=0.32, burst_bytes=80, excess=excess)
    a.uploads.pause()
    a.offer_at(1, 0, alike(1, 2))
    a.clock.run(until=8 * SECOND)
    assert (a.sent, samples(a.counts)) == ([], (0, 0, 2))
    a.clock.call_at(9 * SECOND, a.uploads.resume)
    a.clock.run()
    later = [] if excess == "drop" else [(11.0, 0, [2])]
    assert a.sent == [(9.0, 0, [1]), *later]
    assert samples(a.counts) == (1 + len(later), 1 - len(later), 0)


def test_who_is_away_takes_nothing_from_a_shared_budget():
    """It is enough for one image in each 100 s."""
    clock = Clock()
    shared = budget(clock, allowance_bytes=80, period_s=100.0, excess="wait", per="fleet")
    a, b = (Camera(name, clock, shared) for name in "ab")
    a.uploads.pause()
    a.offer_at(1, 0, alike(1), statistics=np.zeros(10, np.float32))
    b.offer_at(2, 0, alike(2))
    clock.run(until=90 * SECOND)
    assert (a.sent, b.sent) == ([], [(2.0, 0, [2])])


def test_trace_of_quality_that_follows_the_link():
    """A byte takes a millisecond; a raw message is 4101 bytes and three headers, and PNG's of a plain image small."""
    quality = {"by": "link", "target_s": 5.0, "lower": ["png", {"codec": "jpeg", "quality": 5}]}
    a = Camera(mbps=0.008, upload_quality=quality)
    for number, time_s in enumerate((0.0, 1.0, 4.9, 5.0, 5.2)):
        a.offer_at(time_s, number, alike(7), side=64)
    a.clock.run()
    # At 1 s the first still takes 3.221 s; at 4.9 s nothing is before the third; behind it there is no time again.
    assert [message.quality for _, message in a.link.handed_over] == [0, 1, 0, 1, 1]
    assert [message.payload[0] for _, message in a.link.handed_over] == [0, 1, 0, 1, 1]
    assert [len(message.payload) == 4101 for _, message in a.link.handed_over] == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert [message.images is None for _, message in a.link.handed_over] == [False] * 5  # both are lossless


def test_the_last_level_is_taken_where_none_is_good_enough():
    a = Camera(mbps=0.008, upload_quality={"by": "link", "target_s": 1e-6, "lower": ["png", "jpeg"]})
    a.offer_at(0, 0, alike(7))
    a.clock.run()
    ((_, message),) = a.link.handed_over
    assert (message.quality, message.payload[0], message.images) == (2, 2, None)


def test_trace_of_quality_that_follows_the_budget():
    """Raw, one image is 4221 bytes with its headers and two are 8321: there are 9000 to begin with."""
    quality = {"by": "budget", "lower": ["png"]}
    a = camera(group={"upload_quality": quality}, allowance_bytes=9000, period_s=10.0)
    a.offer_at(0, 0, alike(1, 2), side=64)
    a.offer_at(1, 1, alike(3), side=64)
    a.offer_at(10, 2, alike(4), side=64)
    a.clock.run()
    assert [message.quality for _, message in a.link.handed_over] == [0, 1, 0]
    assert samples(a.counts) == (4, 0, 0)


def test_quality_leaves_room_for_what_waits_already():
    """Raw, an image is 4221 bytes with its headers. At 1 s all 4300 are there, but another image waits for its turn."""
    quality = {"by": "budget", "lower": ["png"]}
    a = camera(
        group={"upload_quality": quality},
        allowance_bytes=4300,
        period_s=10.0,
        excess="wait",
        waiting_samples=9,
    )
    a.uploads.pause()
    a.offer_at(0, 0, alike(1), side=64)
    a.offer_at(1, 1, alike(2), side=64)
    a.clock.call_at(2 * SECOND, a.uploads.resume)
    a.clock.run()
    found = [(time / SECOND, message.batch, message.quality) for time, message in a.link.handed_over]
    assert found == [(2.0, 0, 0), (10.0, 1, 1)]


def test_statistics_wait_and_go_before_samples():
    """200 bytes of statistics leave none; those of the second batch go when 200 are there again, at 5 s."""
    a = camera(rate_kbps=0.32, burst_bytes=200, excess="wait")
    for number in (0, 1):
        a.offer_at(number, number, alike(number), statistics=np.zeros(40, np.float32))
    a.clock.run()
    found = [(time / SECOND, message.kind, message.batch) for time, message in a.link.handed_over]
    assert found == [
        (0.0, "statistics", 0),
        (5.0, "statistics", 1),
        (7.0, "samples", 0),
        (9.0, "samples", 1),
    ]


def test_a_batch_is_announced_when_none_of_it_can_go():
    """The announcement is a header of 40 bytes, which are there at 1 s."""
    a = camera(**FORTY_A_SECOND)
    a.offer_at(0, 0, alike(1, 2), announce=True)
    a.offer_at(0.5, 1, {3: 1.0, 4: None}, announce=True)
    a.offer_at(3, 2, {5: None}, announce=True)
    a.clock.run()
    assert a.sent == [(0.0, 0, [1]), (1.0, 1, []), (3.0, 2, [])]
    assert samples(a.counts) == (1, 2, 0)


def test_what_is_sent_for_an_answer_waits_whole_and_outlives_a_reset():
    a = camera(rate_kbps=0.32, burst_bytes=120)
    pixels = np.zeros((2, 6, 6, 1), np.uint8)
    for number in (0, 1):
        a.clock.call_at(number, lambda n=number: a.uploads.ask(n, pixels))
    a.clock.call_at(SECOND, lambda: a.uploads.begin_anew(1))
    a.clock.run(until=2 * SECOND)
    assert samples(a.counts) == (2, 0, 2)
    a.clock.run()
    assert a.sent == [(0.0, 0, [0, 0]), (3.0, 1, [0, 0])]
    assert [(message.asks, message.epoch) for _, message in a.link.handed_over] == [(True, 0), (True, 0)]


def test_who_stops_asking_gives_up_questions_alone():
    """Two images take 120 bytes, statistics and a sample 80 each, and 40 come in each second."""
    a = camera(rate_kbps=0.32, burst_bytes=120, excess="wait")
    for number in (0, 1):
        a.clock.call_at(number, lambda n=number: a.uploads.ask(n, np.zeros((2, 6, 6, 1), np.uint8)))
    a.offer_at(0.5, 2, alike(7), statistics=np.zeros(10, np.float32))
    a.clock.call_at(SECOND, a.uploads.stop_asking)
    a.clock.run()
    found = [(time / SECOND, message.kind, message.batch) for time, message in a.link.handed_over]
    assert found == [(0.0, "samples", 0), (2.0, "statistics", 2), (4.0, "samples", 2)]
    assert samples(a.counts) == (3, 2, 0)


def test_a_reset_gives_up_what_waits():
    a = camera(**FORTY_A_SECOND, excess="wait")
    a.offer_at(0, 0, alike(1, 2, 3), statistics=np.zeros(10, np.float32))
    a.clock.call_at(SECOND, lambda: a.uploads.begin_anew(1))
    a.offer_at(1.5, 1, alike(4))
    a.clock.run()
    found = [(time / SECOND, message.kind, message.epoch) for time, message in a.link.handed_over]
    assert found == [(0.0, "statistics", 0), (2.0, "samples", 1)]
    assert samples(a.counts) == (1, 3, 0)


def test_a_sample_that_never_fits_does_not_wait():
    a = camera(rate_kbps=8.0, burst_bytes=79, excess="wait")
    a.offer_at(0, 0, alike(1))
    a.clock.run()
    assert (a.sent, samples(a.counts)) == ([], (0, 1, 0))


def test_statistics_that_never_fit_are_the_users_mistake():
    a = camera(rate_kbps=8.0, burst_bytes=79)
    a.offer_at(0, 0, {1: None}, statistics=np.zeros(10, np.float32))
    with pytest.raises(InputError) as caught:
        a.clock.run()
    assert str(caught.value) == (
        "budgets.plan.burst_bytes: 79: must be at least 80, since a message of statistics takes 80 bytes with its "
        "headers and is never given up (a)"
    )


def test_samples_for_which_there_is_never_room_are_told():
    a = camera(rate_kbps=8.0, burst_bytes=79, excess="wait")
    a.offer_at(0, 0, {1: 1.0, 2: None, 3: 1.0})
    a.offer_at(1, 1, alike(4), side=2)
    a.offer_at(2, 2, alike(5), side=8)
    a.clock.run()
    assert a.uploads.budget.hopeless == (3, 80)
    assert (a.sent, samples(a.counts)) == ([(1.0, 1, [4])], (1, 3, 0))


def test_without_a_budget_all_goes_at_once_and_tells_how_informative_it_is():
    a = Camera()
    a.offer_at(0, 0, {1: 0.5, 2: None, 3: 2.0})
    a.clock.run()
    ((_, message),) = a.link.handed_over
    assert a.sent == [(0.0, 0, [1, 3])]
    assert (message.quality, samples(a.counts)) == (None, (2, 0, 0))
    assert message.information == pytest.approx((entropy_of(0.5) + entropy_of(2.0)) / 2, rel=1e-6)


def test_how_long_a_link_is_busy():
    """A byte takes a millisecond: two messages of 100 bytes with their headers, the first half sent."""
    a = Camera(mbps=0.008)
    for _ in range(2):
        a.clock.call_at(0, lambda: a.link.send(60, SimpleNamespace()))
    a.clock.run(until=SECOND // 20)
    assert backlog_s(a.link, 7) == pytest.approx(0.05 + 0.1 + 0.007, abs=1e-9)
    a.clock.run()
    assert backlog_s(a.link, 7) == pytest.approx(0.007)
    assert backlog_s(NotedLink(a.clock, math.inf), 10**9) == 0.0


BATCHES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 80), st.lists(st.none() | st.floats(0.1, 4), max_size=5)),
    max_size=12,
)


@given(
    BATCHES,
    st.sampled_from(["arrival", "entropy", "redundancy", "age"]),
    st.sampled_from(["drop", "wait", "replace"]),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)
def test_samples_and_bytes_are_conserved(batches, rank, excess, most, announce, reset):
    """At any moment kept = uploaded + withheld + waiting, and all that was sent fits bucket and allowance."""
    clock = Clock()
    shared = budget(
        clock,
        rate_kbps=0.32,
        burst_bytes=200,
        allowance_bytes=400,
        period_s=5.0,
        rank=rank,
        excess=excess,
        **({} if excess == "drop" else {"waiting_samples": most}),
    )
    both = [Camera(name, clock, shared) for name in "ab"]
    for number, (who, tenths, found) in enumerate(sorted(batches, key=lambda batch: batch[1])):
        if found:
            both[who].offer_at(tenths / 10, number, dict(enumerate(found)), announce)
    if reset:
        clock.call_at(4 * SECOND, lambda: [each.uploads.begin_anew(1) for each in both])
    while clock.peek() != math.inf:
        clock.step()
        for each in both:
            assert each.kept == sum(samples(each.counts))
            assert each.counts.waiting <= (0 if excess == "drop" else most)
    assert [each.counts.waiting for each in both] == [0, 0]  # in the end everything has had its turn
    charged = sorted(
        (time, 40 + len(message.payload)) for each in both for time, message in each.link.handed_over
    )
    periods: dict[int, int] = {}
    for time, size in charged:
        periods[time // (5 * SECOND)] = periods.get(time // (5 * SECOND), 0) + size
    assert all(size <= 400 for size in periods.values())
    for first in range(len(charged)):
        total = 0
        for time, size in charged[first:]:
            total += size
            assert 8 * SECOND * (total - 200) <= 320 * (time - charged[first][0])
    for each in both:
        assert each.counts.uploaded == sum(message.samples for _, message in each.link.handed_over)


def test_a_run_accounts_for_what_its_budget_withholds(tiny, tmp_path):
    group = tiny.group(count=2, budget="plan", upload_codec="raw")
    plan = {"per": "fleet", "allowance_bytes": 1000, "period_s": 4.0, "excess": "wait", "waiting_samples": 3}
    tiny.run(tmp_path, strategy=tiny.cema(), groups={"cameras": group}, budgets={"plan": plan})
    tables = {
        name: pq.read_table(tmp_path / f"{name}.parquet").to_pylist()
        for name in ("devices", "batches", "transfers")
    }
    for device in tables["devices"]:
        kept = sum(row["kept"] or 0 for row in tables["batches"] if row["device"] == device["device"])
        account = {name: device[f"samples_{name}"] for name in ("uploaded", "withheld", "waiting")}
        assert kept == sum(account.values()) == 40
        assert account["withheld"] > 0
        assert 0 < account["waiting"] <= 3
    up = [row for row in tables["transfers"] if row["direction"] == "up"]
    for start in (0.0, 4.0, 8.0):
        inside = [row for row in up if start <= row["queued_s"] < start + 4.0]
        spent = sum(row["payload_bytes"] + row["header_bytes"] for row in inside)
        assert 1000 - (40 + 4 + 64) < spent <= 1000  # nothing that would still have fitted waited


def test_a_run_tells_at_which_quality_it_uploaded(tiny, tmp_path):
    """Raw, two images are 177 bytes and take 28 ms at 50 kbit/s; the lower level loses pixels, and the cloud learns."""
    quality = {"by": "link", "target_s": 0.1, "lower": [{"codec": "jpeg", "quality": 10, "scale": 0.5}]}
    link = {"uplink_mbps": 0.05, "downlink_mbps": 0.1}
    stream = {"rate_hz": 40.0, "batch_size": 2}
    group = tiny.group(upload_codec="raw", upload_quality=quality, link=link, stream=stream)
    tiny.run(tmp_path, strategy=tiny.cema(), groups={"cameras": group}, duration_s=1.0)
    transfers = pq.read_table(tmp_path / "transfers.parquet").to_pylist()
    levels = [row["quality"] for row in transfers if row["direction"] == "up"]
    assert set(levels) == {0, 1}
    assert {row["quality"] for row in transfers if row["direction"] == "down"} == {None}
    raw = [row["payload_bytes"] for row in transfers if row["quality"] == 0]
    assert set(raw) == {1 + 2 * (4 + 64)}
    assert len(pq.read_table(tmp_path / "updates.parquet")) > 0


def test_offloaded_batches_wait_for_the_budget_and_are_answered(tiny, tmp_path):
    """A batch of two is 176 bytes; 352 in each 4 s let two batches of eight go."""
    group = tiny.group(
        budget="plan", upload_codec="raw", stream={"rate_hz": 2.0, "batch_size": 2, "phase": "zero"}
    )
    plan = {"allowance_bytes": 352, "period_s": 4.0}
    tiny.run(tmp_path, strategy="offload", groups={"cameras": group}, budgets={"plan": plan})
    batches = pq.read_table(tmp_path / "batches.parquet").to_pylist()
    done = sorted(row["batch"] for row in batches if row["status"] == "predicted")
    assert done == [0, 1, 2, 3, 4, 5]
    (device,) = pq.read_table(tmp_path / "devices.parquet").to_pylist()
    assert (device["samples_uploaded"], device["samples_waiting"], device["samples_withheld"]) == (12, 28, 0)
    assert device["samples_in_progress"] == 28
