"""Links and cells against closed forms of queueing theory.

Every figure is the mean over independent replications; the closed form must lie within their t-interval of 99.9 %, and
a wrong one outside of it. There are 20 such intervals: a right network would miss one of them with a probability of
2 % at most, were the seeds not fixed; as they are, a test either always passes or always fails.

Sources: L. Kleinrock, Queueing Systems, volumes 1 (1975) and 2 (1976); for the insensitivity of processor sharing and
of its limited form, J. W. Cohen, The Multiple Phase Service Network with Generalized Processor Sharing, Acta
Informatica 12 (1979).
"""

from __future__ import annotations

import math
from itertools import count, pairwise

import numpy as np
import pytest

from sim.cell import Cell
from sim.clock import SECOND, Clock, nanoseconds
from sim.link import Direction, Link

REPLICATIONS = 20
STUDENT_T = 3.8834
"""Quantile of Student's distribution with 19 degrees of freedom for a two-sided confidence of 99.9 %."""

MBPS = 800.0
MEAN_BYTES = 100_000
"""Takes a millisecond at MBPS; whole bytes and nanoseconds do not matter at such sizes."""
MEAN_S = MEAN_BYTES * 8 / (MBPS * 1e6)
WARM_UP = 150
"""Messages that are not counted, as those that follow the counted ones are not: they only keep up the load."""


def interval(figures):
    """Return the bounds of the mean of independent replications, with a confidence of 99.9 %."""
    assert len(figures) == REPLICATIONS
    half = STUDENT_T * np.std(figures, ddof=1) / math.sqrt(REPLICATIONS)
    return np.mean(figures) - half, np.mean(figures) + half


def assert_mean(figures, right, wrong):
    """Check that the right value is in the interval and each wrong one is not, so that the interval says something."""
    low, high = interval(figures)
    assert low <= right <= high, f"{right} is not within {low} and {high}"
    for value in wrong:
        assert not low <= value <= high, f"{value} too is within {low} and {high}"


def constant(generator, n):
    return np.full(n, MEAN_BYTES)


def exponential(generator, n):
    return np.ceil(generator.exponential(MEAN_BYTES, n)).astype(int)


def two_sizes(generator, n):
    """One message in ten has nine times the size of the others; the coefficient of variation is 4/3."""
    return np.where(generator.random(n) < 0.1, 5 * MEAN_BYTES, 5 * MEAN_BYTES // 9)


def second_moment(sizes):
    """E[S^2] of the service time, in seconds squared."""
    return {
        constant: 1.0,
        exponential: 2.0,
        two_sizes: 0.1 * 5**2 + 0.9 * (5 / 9) ** 2,
    }[sizes] * MEAN_S**2


def pollaczek_khinchine(load, second):
    """Mean wait in M/G/1, first in first out: lambda E[S^2] / (2 (1 - rho)) (Kleinrock 1, section 5.6)."""
    return load / MEAN_S * second / (2 * (1 - load))


class Traffic:
    """Poisson arrivals of messages, each sent on a link that is free, or on the only one."""

    def __init__(
        self, seed, load, sizes, counted, links=1, capacity_mbps=None, limit_mbps=MBPS, **direction
    ) -> None:
        self.clock = Clock()
        arrivals, drawn = np.random.default_rng(seed).spawn(2)
        total = counted + 2 * WARM_UP
        self.counted = range(WARM_UP, WARM_UP + counted)
        self.sizes = sizes(drawn, total)
        self.times = np.cumsum(
            [nanoseconds(gap) for gap in arrivals.exponential(MEAN_S / load, total)]
        ).tolist()
        cell = None if capacity_mbps is None else Cell(self.clock, round(capacity_mbps * 1e6))
        self.transfers = [None] * total
        direction = Direction(limit_mbps, packet_bytes=10**9, header_bytes=0, **direction)
        self.free = []
        for number in range(links):
            link = Link(
                self.clock,
                direction,
                lambda seed=[seed, number]: np.random.default_rng(seed),
                self.free.append,
                lambda transfer: None,
                cell,
            )
            self.free.append(link)
        self.only = self.free[0] if links == 1 else None
        self._next = count()
        self.clock.call_at(self.times[0], self._send)
        self.clock.run()

    def _send(self):
        number = next(self._next)
        link = self.only or self.free.pop()  # IndexError: too few links for one message each
        self.transfers[number] = link.send(int(self.sizes[number]), link)
        if number + 1 < len(self.times):
            self.clock.call_at(self.times[number + 1], self._send)

    def mean(self, figure, where=None):
        """Return the mean of a figure of the counted transfers, in seconds, perhaps only where it applies."""
        found = [
            figure(self.transfers[number])
            for number in self.counted
            if where is None or where(self.transfers[number])
        ]
        return sum(found) / len(found) / SECOND


def replicate(load, sizes, counted, **settings):
    return [Traffic(seed, load, sizes, counted, **settings) for seed in range(REPLICATIONS)]


def waiting(transfer):
    return transfer.start_at - transfer.queued_at


def sojourn(transfer):
    return transfer.sent_at - transfer.queued_at


# A link of its own: one server, first in first out.


@pytest.mark.parametrize("sizes", [constant, exponential, two_sizes])
def test_a_link_of_its_own_is_an_m_g_1_queue(sizes):
    """M/D/1 with constant sizes and M/M/1 with exponential ones; the formula of either is wrong for the other."""
    load = 0.5
    wait = {
        each: pollaczek_khinchine(load, second_moment(each)) for each in (constant, exponential, two_sizes)
    }
    assert wait[constant] == pytest.approx(load / (2 * (1 - load)) * MEAN_S)
    assert wait[exponential] == pytest.approx(load / (1 - load) * MEAN_S)
    others = [each for each in wait if each is not sizes]
    replications = replicate(load, sizes, 2000)
    assert_mean([each.mean(waiting) for each in replications], wait[sizes], [wait[each] for each in others])
    assert_mean(
        [each.mean(sojourn) for each in replications],
        wait[sizes] + MEAN_S,
        [wait[each] + MEAN_S for each in others],
    )


def test_latency_comes_on_top_of_the_wait():
    """M/D/1 with a propagation delay, which keeps nobody waiting."""
    load, latency = 0.5, 5 * MEAN_S
    sojourn_s = pollaczek_khinchine(load, second_moment(constant)) + MEAN_S
    replications = replicate(load, constant, 500, latency_ms=latency * 1000)
    delivery = [
        each.mean(lambda transfer: transfer.delivered_at - transfer.queued_at) for each in replications
    ]
    assert_mean(delivery, sojourn_s + latency, [sojourn_s])


def test_lost_packets_make_service_times_geometric():
    """A packet of constant size takes a geometric number of tries: E[N] = 1/(1 - p), E[N^2] = (1 + p)/(1 - p)^2."""
    loss, offered = 0.3, 0.35
    load = offered / (1 - loss)
    second = (1 + loss) / (1 - loss) ** 2 * MEAN_S**2
    wait = offered / MEAN_S * second / (2 * (1 - load))
    without_variance = offered / MEAN_S * (MEAN_S / (1 - loss)) ** 2 / (2 * (1 - load))
    replications = replicate(offered, constant, 1500, loss=loss)
    assert_mean(
        [each.mean(waiting) for each in replications],
        wait,
        [without_variance, pollaczek_khinchine(offered, second_moment(constant))],
    )


@pytest.mark.parametrize("loss", [0.05, 0.3, 0.7])
def test_the_share_that_is_sent_again(loss):
    """A packet arrives after 1/(1 - p) tries in the mean, so that p/(1 - p) of what arrives was lost before."""
    shares = []
    for seed in range(REPLICATIONS):
        direction = Direction(math.inf, loss=loss, packet_bytes=1000, header_bytes=40)
        link = Link(
            Clock(), direction, lambda seed=seed: np.random.default_rng(seed), lambda _: None, lambda _: None
        )
        transfers = [link.send(10_000, None) for _ in range(1000)]
        again = sum(transfer.retransmitted_bytes for transfer in transfers)
        shares.append(again / sum(transfer.payload_bytes + transfer.header_bytes for transfer in transfers))
    assert_mean(shares, loss / (1 - loss), [loss])


# A cell whose links have one message each: one server, shared by all.


@pytest.mark.parametrize("sizes", [exponential, two_sizes])
def test_a_cell_is_an_m_g_1_queue_with_processor_sharing(sizes):
    """A message of x bits stays x / (C (1 - rho)) in the mean, whatever the sizes of the others."""
    load = 0.5
    replications = replicate(load, sizes, 1200, links=120, capacity_mbps=MBPS, limit_mbps=math.inf)
    stretch, in_turn = 1 / (1 - load), pollaczek_khinchine(load, second_moment(sizes))
    # Exponential sizes stay as long in the mean if they are served in turn, but not the short and the long ones.
    wrong = [MEAN_S] if sizes is exponential else [MEAN_S, MEAN_S + in_turn]
    assert_mean([each.mean(sojourn) for each in replications], stretch * MEAN_S, wrong)
    for where in (lambda t: t.wire_bytes < MEAN_BYTES, lambda t: t.wire_bytes >= MEAN_BYTES):
        alone = [
            each.mean(lambda t: 8 * t.wire_bytes * SECOND / (MBPS * 1e6), where) for each in replications
        ]
        stretched = [each.mean(sojourn, where) / mean for each, mean in zip(replications, alone, strict=True)]
        assert_mean(stretched, stretch, [1.0, 1 + in_turn / np.mean(alone)])


def erlang_c(servers, offered):
    """Return the probability that all servers are busy in M/M/m with a load of `offered` (Kleinrock 1, section 3.5)."""
    terms = [offered**n / math.factorial(n) for n in range(servers)]
    full = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return full / (sum(terms) + full)


@pytest.mark.parametrize("sizes", [exponential, two_sizes])
def test_limits_of_the_links_make_it_several_servers(sizes):
    """With limits of C/m, n messages get min(n, m) C/m: as many are in progress as in M/M/m, whatever their sizes.

    By Little's law the mean sojourn is then that of M/M/m, 1/mu + P(all busy) / (m mu - lambda).
    """
    servers, load = 3, 0.6
    mu = 1 / MEAN_S  # of a link at its limit, MBPS
    expected = 1 / mu + erlang_c(servers, servers * load) / (servers * mu * (1 - load))
    one_server = 1 / (servers * mu * (1 - load))
    replications = replicate(
        servers * load, sizes, 1200, links=120, capacity_mbps=servers * MBPS, limit_mbps=MBPS
    )
    assert_mean([each.mean(sojourn) for each in replications], expected, [1 / mu, one_server])


def test_limits_that_the_cell_always_has_room_for_are_all_that_counts():
    traffic = Traffic(0, 5.0, exponential, 1000, links=40, capacity_mbps=40 * MBPS, limit_mbps=MBPS)
    assert all(sojourn(each) == 10 * each.wire_bytes for each in traffic.transfers)
    overtaken = [after.sent_at < before.sent_at for before, after in pairwise(traffic.transfers)]
    assert sum(overtaken) > 100


def test_without_enough_capacity_what_waits_grows_for_ever():
    """At a load of 1.25 a fifth of all messages is left when the last one comes; at 0.8 next to none is."""

    def left(load, seed):
        traffic = Traffic(seed, load, exponential, 700, links=400, capacity_mbps=MBPS, limit_mbps=MBPS)
        return sum(each.sent_at > traffic.times[-1] for each in traffic.transfers) / len(traffic.times)

    assert_mean([left(1.25, seed) for seed in range(REPLICATIONS)], 0.2, [0.0])
    assert max(left(0.8, seed) for seed in range(3)) < 0.02
