"""The cloud as a queue: closed forms, and what holds of any queue whatever arrives.

Each upload makes one step of a given duration ready. Every single wait is that of the recursion of such a queue, to
the nanosecond. Means are held against closed forms too, within Student's t-interval over independent replications: at
a level of 99.9 % a right cloud would fail one of these eight tests with a probability of 0.8 % at most, were the seeds
not fixed; as they are, each passes or fails for good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from heapq import heapreplace
from itertools import cycle, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.raw import Raw
from models.executor import Executor
from models.placement import Placement
from models.strategies._interface import Outcome, Step, Work
from scenarios.cloud import Cloud as CloudSettings
from sim.clock import SECOND, Clock, nanoseconds
from sim.cloud import Cloud
from sim.messages import Message
from sim.streams import RandomStreams
from sim.versions import VersionLog

REPLICATIONS = 12
COUNT = 1000
"""Uploads in each replication."""
WARM_UP = 100
"""The first ones, which find the queue too empty, do not count in means."""
T_999 = 4.437  # two-sided, 11 degrees of freedom
PIXEL = [np.zeros((1, 1, 1), np.uint8)]


class Rows(list):
    def add(self, **row):
        self.append(row)


@dataclass
class Service:
    """An agent whose upload number n takes durations[n] nanoseconds on an accelerator of one gigaflop a second."""

    durations: list
    student_of: dict

    def receive(self, upload):
        begin = partial(Work, 1, 0, self.durations[upload.batch], Outcome)
        return [Step(self.student_of[upload.device], "batch", begin)]


def make(durations, student_of, accelerators=1, **more):
    clock = Clock()
    students = dict.fromkeys(student_of.values())
    return Cloud(
        clock,
        CloudSettings.model_validate({"gflops": 1.0, "accelerators": accelerators} | more),
        Service(durations, student_of),
        Executor(Placement(torch.device("cpu"))),
        {device: [Raw()] for device in student_of},
        {},
        {student: [d for d, s in student_of.items() if s == student] for student in students},
        {student: VersionLog() for student in students},
        (1, 1, 1),
        Rows(),
        Rows(),
        RandomStreams(0).generator,
    )


def arrive(cloud, time, device, number, information=0.0):
    """Let upload `number` arrive at `time` nanoseconds."""
    message = Message("samples", device, b"", 1, batch=number, images=PIXEL, information=information)
    cloud.clock.call_at(time, partial(cloud.receive, message))


CROWD = {f"d-{number}": f"d-{number}" for number in range(300)}
"""So many devices that none has two uploads in the cloud at a time: accelerators alone are scarce."""


@dataclass
class Queue:
    """A cloud after a Poisson process of uploads; arrivals and service times by number, in nanoseconds."""

    arrivals: list
    services: list
    cloud: Cloud

    def starts(self):
        """Return when each upload's step began, by its number; those refused are left out."""
        number_of = {time: number for number, time in enumerate(self.arrivals)}
        return {
            number_of[nanoseconds(row["ready_s"])]: nanoseconds(row["start_s"]) for row in self.cloud.table
        }


def queue(seed, rate, service, **more):
    """Let uploads arrive at a rate, each with a service time in seconds, and let time pass to the last of them."""
    generator = np.random.default_rng(seed)
    arrivals = [nanoseconds(time) for time in generator.exponential(1 / rate, COUNT).cumsum()]
    services = [nanoseconds(duration) for duration in service(generator)]
    cloud = make(services, CROWD, **more)
    for number, (time, device) in enumerate(zip(arrivals, cycle(CROWD), strict=False)):
        arrive(cloud, time, device, number)
    cloud.clock.run()
    return Queue(arrivals, services, cloud)


def served(queue, servers, can_wait=True):
    """Return when each upload begins, first in, first out; where none can wait, who finds no server free is left out.

    Where they can, this is Kiefer and Wolfowitz's recursion (Transactions of the AMS 78, 1955).
    """
    free, starts = [0] * servers, {}
    for number, (arrival, service) in enumerate(zip(queue.arrivals, queue.services, strict=True)):
        if can_wait or free[0] <= arrival:
            starts[number] = max(arrival, free[0])
            heapreplace(free, starts[number] + service)
    return starts


def constant(generator):
    return np.ones(COUNT)


def exponential(generator):
    return generator.exponential(1.0, COUNT)


def interval(values):
    """Return the t-interval of the mean of independent values."""
    assert len(values) == REPLICATIONS
    half = T_999 * np.std(values, ddof=1) / math.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def erlang_c(servers, load):
    """Return the probability of having to wait in M/M/c at an offered load of `load` erlangs."""
    waiting = load**servers / math.factorial(servers) * servers / (servers - load)
    return waiting / (sum(load**k / math.factorial(k) for k in range(servers)) + waiting)


def erlang_b(servers, load):
    """Return the probability of finding M/G/c/c full."""
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    return terms[-1] / sum(terms)


MD1 = 0.5 / (2 * (1 - 0.5))
MM1 = 0.5 / (1 - 0.5)
MM3 = erlang_c(3, 1.5) / (3 - 1.5)


@pytest.mark.parametrize("inbox", [None, {}], ids=["steps_wait", "uploads_wait"])
@pytest.mark.parametrize(
    ("service", "rate", "servers", "expected", "another"),
    [(constant, 0.5, 1, MD1, MM1), (exponential, 0.5, 1, MM1, MD1), (exponential, 1.5, 3, MM3, MM1 / 3)],
    ids=["M/D/1", "M/M/1", "M/M/3"],
)
def test_mean_wait(service, rate, servers, expected, another, inbox):
    """Pollaczek-Khinchine for M/D/1 and M/M/1, Erlang's C for M/M/3; the formula of another queue lies outside.

    What M/M/3 is not is one server three times as fast.
    """
    means = []
    for seed in range(REPLICATIONS):
        simulated = queue(seed, rate, service, accelerators=servers, inbox=inbox)
        starts = simulated.starts()
        assert starts == served(simulated, servers)
        means.append(np.mean([starts[n] - simulated.arrivals[n] for n in range(WARM_UP, COUNT)]) / SECOND)
    low, high = interval(means)
    assert low < expected < high
    assert not low < another < high


@pytest.mark.parametrize("service", [constant, exponential])
def test_share_refused_where_nothing_can_wait(service):
    """Erlang's B, whatever the distribution of service times."""
    shares = []
    for seed in range(REPLICATIONS):
        simulated = queue(seed, 2.0, service, accelerators=3, inbox={"capacity": 0})
        starts = simulated.starts()
        assert starts == served(simulated, 3, can_wait=False)
        assert simulated.cloud.refused.total() == COUNT - len(starts)
        shares.append(sum(number not in starts for number in range(WARM_UP, COUNT)) / (COUNT - WARM_UP))
    low, high = interval(shares)
    assert low < erlang_b(3, 2.0) < high
    assert not low < erlang_b(3, 2.2) < high


DISCIPLINES = ("first_in_first_out", "fair_per_device", "most_informative_first")
UPLOADS = st.lists(
    st.tuples(
        st.integers(0, 4),  # half seconds since the one before
        st.sampled_from(["a-0", "a-1", "b-0", "c-0"]),
        st.integers(1, 8),  # half seconds of an accelerator
        st.floats(0, 2),
    ),
    max_size=20,
)
STUDENT_OF = {"a-0": "a", "a-1": "a", "b-0": "b", "c-0": "c"}
INBOXES = st.none() | st.fixed_dictionaries(
    {
        "discipline": st.sampled_from(DISCIPLINES),
        "capacity": st.none() | st.integers(0, 4),
        "overflow": st.sampled_from(["reject_newest", "drop_oldest", "drop_least_informative"]),
    }
)
AUTOSCALING = st.none() | st.fixed_dictionaries(
    {
        "most_accelerators": st.just(4),
        "waiting_per_accelerator": st.sampled_from([0.0, 1.0, 2.0]),
        "start_up_s": st.sampled_from([0.0, 1.0]),
        "idle_s": st.sampled_from([0.0, 3.0]),
    }
)
CRASHES = st.none() | st.fixed_dictionaries(
    {
        "at_s": st.lists(st.integers(1, 40), unique=True, min_size=1, max_size=4).map(
            lambda moments: [moment / 2 for moment in sorted(moments)]
        ),
        "restart_s": st.sampled_from([0.0, 1.5]),
        "checkpoint_every_s": st.none() | st.just(3.0),
    }
)


def scattered(uploads, accelerators, **more):
    """Return a cloud before time has passed, and a list to which uploads are added as they arrive."""
    cloud = make([half * SECOND // 2 for _, _, half, _ in uploads], STUDENT_OF, accelerators, **more)
    cloud.start()
    time, arrived = 0, []
    for number, (gap, device, _, information) in enumerate(uploads):
        time += gap * SECOND // 2
        cloud.clock.call_at(time, partial(arrived.append, device))
        arrive(cloud, time, device, number, information)
    return cloud, arrived


def moments(cloud, until_s=300.0):
    """Let time pass event by event, and yield after the last event of each moment."""
    clock = cloud.clock
    while clock.peek() < until_s * SECOND:
        clock.step()
        if clock.peek() > clock.time:
            yield clock.time


@settings(max_examples=150)
@given(UPLOADS, st.integers(1, 3), INBOXES, AUTOSCALING, CRASHES)
def test_no_upload_is_lost_or_counted_twice_and_no_accelerator_idles_where_it_is_needed(
    uploads, accelerators, inbox, autoscaling, crashes
):
    cloud, arrived = scattered(uploads, accelerators, inbox=inbox, autoscaling=autoscaling, crashes=crashes)
    for _ in moments(cloud):
        entries = [] if cloud.inbox is None else [message.device for message, _ in cloud.inbox.waiting]
        under_way = len(entries) + len(cloud.waiting) + len(cloud.running)
        assert len(arrived) == cloud.refused.total() + cloud.lost.total() + under_way + len(cloud.table)
        assert len(cloud.running) + cloud.accelerators.free == cloud.accelerators.ready
        assert cloud.accelerators.ready <= (4 if autoscaling else accelerators)
        if cloud.accelerators.free:
            students = {STUDENT_OF[device] for device in entries}
            assert students | {job.step.student for job in cloud.waiting} <= set(cloud.running)
    assert len(arrived) == len(uploads) and under_way == 0 if uploads else True
    assert {row["status"] for row in cloud.table} <= ({"finished", "lost"} if crashes else {"finished"})
    assert cloud.refused.total() == 0 or inbox["capacity"] is not None


@given(UPLOADS, st.integers(1, 3), st.none() | st.just({}))
def test_uploads_of_a_student_are_learnt_from_in_the_order_of_arrival(uploads, accelerators, inbox):
    cloud, _ = scattered(uploads, accelerators, inbox=inbox)
    cloud.clock.run()
    for student in "abc":
        rows = [row for row in cloud.table if row["student"] == student]
        assert [row["ready_s"] for row in rows] == sorted(row["ready_s"] for row in rows)
        assert all(before["finish_s"] <= after["start_s"] for before, after in pairwise(rows))


@given(UPLOADS, st.sampled_from(DISCIPLINES))
def test_with_equal_uploads_the_discipline_changes_who_waits_but_not_how_long_all_wait(uploads, discipline):
    """Kleinrock's conservation law, here to the nanosecond: one accelerator, all steps of two seconds."""
    totals = []
    for name in ("first_in_first_out", discipline):
        equal = [(gap, device, 4, information) for gap, device, _, information in uploads]
        cloud, _ = scattered(equal, 1, inbox={"discipline": name})
        cloud.clock.run()
        totals.append(sum(row["start_s"] - row["ready_s"] for row in cloud.table))
    assert totals[0] == totals[1]


@given(UPLOADS)
def test_an_inbox_delays_no_step_where_one_upload_makes_one_step(uploads):
    """First in, first out with one accelerator: it is the same queue, wherever it stands."""
    tables = []
    for inbox in (None, {}):
        cloud, _ = scattered(uploads, 1, inbox=inbox)
        cloud.clock.run()
        tables.append(cloud.table)
    assert tables[0] == tables[1]
