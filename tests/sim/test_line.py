from __future__ import annotations

import math
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.network import Retry
from sim.cell import Cell
from sim.clock import SECOND, Clock
from sim.line import Line
from sim.link import Direction, Link
from sim.outages import Outage, Outages
from sim.transfer import Ledger
from tests.sim.retry_solver import paused, retried

MILLISECOND = 1_000_000
BYTE_A_MICROSECOND = 8_000_000
"""Bits per second."""
END = 10**12


class Wire:
    """A link that a line carries, or a cell that it has for itself, and what becomes of its messages."""

    def __init__(self, pieces, outages=(), retry=None, latency_ms=0.0, in_a_cell=False, until=END) -> None:
        self.clock = Clock()
        self.over = []
        self.sent = []
        sharing = (
            Cell(self.clock, pieces[0][1], iter(pieces[1:]), until)
            if in_a_cell
            else Line(iter(pieces), until)
        )
        self.link = Link(
            self.clock,
            Direction(math.inf, latency_ms=latency_ms, packet_bytes=10**9, header_bytes=0),
            lambda: pytest.fail("nothing is drawn"),
            lambda _: None,
            self.over.append,
            sharing,
            outages=Outages(iter(Outage(*each) for each in outages)) if outages else None,
            retry=retry,
        )

    def send(self, *messages, check=lambda: None):
        """Send messages of a time and bytes each, and let all happen; return the number of events."""
        for time, size in messages:
            self.clock.call_at(time, lambda size=size: self.sent.append(self.link.send(size, None)))
        events = -len(messages)
        while self.clock.peek() != math.inf:
            self.clock.step()
            events += 1
            check()
        return events

    def ledger_at(self, time):
        """Let time pass, and return the account."""
        if time > self.clock.time:
            self.clock.run(until=time)
        return self.link.ledger

    @property
    def story(self):
        """Start, end, attempts, wasted bytes and fate of each message, times in microseconds."""
        return [
            (t.start_at / 1000, t.sent_at / 1000, t.attempts, t.retransmitted_bytes, t.fate)
            for t in self.sent
        ]


@pytest.fixture(params=["line", "cell"])
def wire(request):
    return lambda *given, **named: Wire(*given, in_a_cell=request.param == "cell", **named)


PLAIN = ((0, BYTE_A_MICROSECOND),)
BACKOFF = Retry(first_backoff_s=0.001, factor=2.0, longest_backoff_s=0.003)


def test_a_message_pauses_and_goes_on(wire):
    """Of 1000 bytes 600 are sent by 600 us; the others after the outage. The second message waits for the first."""
    link = wire(PLAIN, [(600_000, 5_000_000)])
    link.send((0, 1000), (100_000, 10))
    assert link.story == [(0, 5400, 1, 0, None), (5400, 5410, 1, 0, None)]
    assert [t.pauses for t in link.sent] == [[(600_000, 5_000_000)], None]


def test_a_message_that_begins_in_an_outage_waits_for_its_end(wire):
    link = wire(PLAIN, [(0, 300_000), (350_000, 400_000)])
    link.send((100_000, 100))
    assert link.story == [(100, 450, 1, 0, None)]
    assert link.sent[0].pauses == [(100_000, 300_000), (350_000, 400_000)]
    assert link.sent[0].sending(10**9) == 100_000


def test_a_message_that_ends_as_an_outage_begins_has_come_through(wire):
    link = wire(PLAIN, [(100_000, 200_000)], BACKOFF)
    link.send((0, 100), (0, 100))
    assert link.story == [(0, 100, 1, 0, None), (100, 1200, 2, 0, None)]


def test_a_failed_attempt_is_followed_by_longer_and_longer_pauses(wire):
    """The attempt fails at 0.6 ms with 600 bytes; at 1.6, 3.6 and 6.6 the link is down; the one at 9.6 is through."""
    link = wire(PLAIN, [(600_000, 8_000_000)], BACKOFF)
    link.send((0, 1000), (0, 10))
    assert link.story == [(0, 10_600, 5, 600, None), (10_600, 10_610, 1, 0, None)]
    assert link.sent[0].sending(END) == 1_600_000
    assert link.link.ledger == Ledger(sent=1610, delivered=1010, lost=600)


def test_each_attempt_that_an_outage_cuts_short_is_wasted(wire):
    """600 bytes until 0.6 ms, 400 from 1.6 to 2 ms; the third attempt, at 4 ms, has time enough."""
    link = wire(PLAIN, [(600_000, 700_000), (2_000_000, 2_100_000)], BACKOFF)
    link.send((0, 1000))
    assert link.story == [(0, 5000, 3, 1000, None)]


def test_a_message_is_given_up_after_the_last_attempt(wire):
    """Nothing of it but what was sent is lost, and the next message has its turn at that moment."""
    link = wire(PLAIN, [(600_000, 2_000_000)], BACKOFF.model_copy(update={"most_attempts": 2}))
    link.send((0, 1000), (0, 10))
    assert link.story == [(0, 1600, 2, 600, "failed"), (1600, 2610, 2, 0, None)]
    assert [t.delivered_at for t in link.sent] == [None, 2_610_000]
    assert link.link.ledger == Ledger(sent=610, delivered=10, lost=600, dropped=1000)


def test_a_single_attempt_fails_at_once(wire):
    link = wire(PLAIN, [(600_000, 2_000_000)], BACKOFF.model_copy(update={"most_attempts": 1}))
    link.send((0, 1000), (700_000, 5), (2_000_000, 5))
    assert link.story == [(0, 600, 1, 600, "failed"), (700, 700, 1, 0, "failed"), (2000, 2005, 1, 0, None)]


def test_an_outage_for_good_ends_nothing(wire):
    link = wire(PLAIN, [(50_000, None)])
    link.send((0, 100), (0, 10))
    assert [(t.start_at, t.sent_at) for t in link.sent] == [(0, None), (None, None)]
    link.clock.run(until=80_000)
    assert link.link.ledger == Ledger(queued=10, sent=100, in_flight=100)
    assert link.sent[0].sending(80_000) == 50_000


@pytest.mark.parametrize(
    "outages", [[(50_000, None)], [(n * 10_000 + 5000, n * 10_000 + 9000) for n in range(2000)]]
)
def test_what_is_tried_again_for_ever_is_not_looked_at_beyond_the_end_of_the_run(wire, outages):
    link = wire(PLAIN, outages, BACKOFF, until=10 * MILLISECOND)
    link.send((0, 100))
    assert link.ledger_at(10 * MILLISECOND).delivered == 0
    assert link.sent[0].sent_at is None
    assert 1 < link.sent[0].attempts < 10


def test_outages_without_end_and_a_message_too_long_for_their_gaps():
    """In each gap of 1 ms a thousand bytes can pass: never two thousand."""
    endless = (Outage((2 * n + 1) * MILLISECOND, (2 * n + 2) * MILLISECOND) for n in count())
    line = Line(iter(PLAIN), SECOND)
    clock, over = Clock(), []
    link = Link(
        clock,
        Direction(math.inf, header_bytes=0),
        None,
        print,
        over.append,
        line,
        None,
        Outages(endless),
        BACKOFF,
    )
    transfer = link.send(2000, None)
    clock.run(until=SECOND)
    assert link.ledger.lost == 0
    assert (over, transfer.sent_at) == ([], None)
    assert transfer.attempts > 100
    assert 10_000 < transfer.retransmitted_bytes < 1000 * transfer.attempts


def test_a_trace_and_an_outage(wire):
    """A byte a microsecond until 1 ms, two until 2 ms, then nothing until 3 ms, with an outage from 0.5 to 1.5 ms."""
    trace = (
        (0, BYTE_A_MICROSECOND),
        (MILLISECOND, 2 * BYTE_A_MICROSECOND),
        (2 * MILLISECOND, 0),
        (3 * MILLISECOND, 8000),
    )
    link = wire(trace, [(500_000, 1_500_000)])
    link.send((0, 1000), (0, 500), (0, 1))
    assert link.story == [(0, 1750, 1, 0, None), (1750, 2000, 1, 0, None), (2000, 4000, 1, 0, None)]


@pytest.mark.parametrize("retry", [None, BACKOFF])
def test_a_failure_holds_nothing_back(retry):
    """Later messages arrive a latency after they are sent, whatever became of the one before."""
    retry = retry and retry.model_copy(update={"most_attempts": 1})
    link = Wire(PLAIN, [(5000, 10_000)], retry, latency_ms=1.0)
    link.send((0, 10), (20_000, 10))
    assert link.sent[1].delivered_at == 30_000 + MILLISECOND


@pytest.mark.parametrize("retry", [None, BACKOFF])
def test_a_message_costs_one_event_whatever_meets_it(retry):
    outages = [(k * 10_000, k * 10_000 + 5000) for k in range(1, 1000)]
    assert Wire(PLAIN, outages, retry).send(*[(0, 3)] * 100, (MILLISECOND, 4)) == 101


# Against a plain reference.

RATES = [[0, 1, 7, 999, 10**6 + 3], [0, 10**6 + 3, SECOND, 8 * SECOND, 10**11]]
"""Of one line: no further apart, or a cell's rounding at the highest would be a nanosecond at the lowest."""


@st.composite
def cases(draw, longest=10**7, most_bytes=2000):
    starts = draw(st.lists(st.integers(1, longest), max_size=3, unique=True).map(sorted))
    rates = st.sampled_from(draw(st.sampled_from(RATES)))
    pieces = tuple((start, draw(rates)) for start in [0, *starts])
    moments = draw(st.lists(st.integers(0, longest), max_size=8, unique=True).map(sorted))
    outages = list(zip(moments[::2], moments[1::2], strict=False))
    messages = draw(
        st.lists(st.tuples(st.integers(0, longest), st.integers(1, most_bytes)), min_size=1, max_size=8)
    )
    return pieces, outages, sorted(messages, key=lambda message: message[0])


CASES = cases() | cases(longest=10**9, most_bytes=10**6) | cases(longest=60, most_bytes=8)
PAUSES_S = [(0.001, 0.001), (0.001, 0.0034), (0.0015, 0.0034), (0.0015, 7.0), (0.2, 0.2), (0.2, 7.0)]
RETRIES = st.builds(
    lambda pauses_s, **rest: Retry(first_backoff_s=pauses_s[0], longest_backoff_s=pauses_s[1], **rest),
    st.sampled_from(PAUSES_S),
    factor=st.sampled_from([1.0, 2.0, 3.0]),
    most_attempts=st.sampled_from([None, None, 1, 2, 5]),
)


def backoff(retry):
    return (
        round(retry.first_backoff_s * SECOND),
        int(retry.factor),
        round(retry.longest_backoff_s * SECOND),
        retry.most_attempts,
    )


def check(link, expected, size_of):
    """Compare with the reference, once all has happened."""
    link.ledger_at(UNTIL)
    for transfer, outcome, size in zip(link.sent, expected, size_of, strict=True):
        assert (transfer.start_at is None) == (outcome.start is None)
        assert (transfer.sent_at is None) == (outcome.end is None)
        if outcome.start is not None:
            assert transfer.start_at == math.ceil(outcome.start)
            assert transfer.attempts == outcome.attempts
        if outcome.end is not None:
            assert transfer.sent_at == math.ceil(outcome.end)
            assert transfer.fate == ("failed" if outcome.failed else None)
            assert transfer.retransmitted_bytes == outcome.wasted
            assert transfer.wire_bytes == outcome.wasted + size
            idle = sum(end - begin for begin, end in outcome.idle)
            assert abs(transfer.sent_at - transfer.start_at - idle - transfer.sending(10**30)) <= 2
            assert transfer.sending(10**30) >= 0


UNTIL = 10**28
"""Later than all that ends."""


@given(CASES, st.booleans())
def test_pauses_as_the_reference_has_them(case, in_a_cell):
    pieces, outages, messages = case
    link = Wire(pieces, outages, in_a_cell=in_a_cell, until=UNTIL)
    link.send(*messages)
    check(link, paused(pieces, outages, messages), [size for _, size in messages])


@given(CASES, RETRIES, st.booleans())
def test_retries_as_the_reference_has_them(case, retry, in_a_cell):
    pieces, outages, messages = case
    link = Wire(pieces, outages, retry, in_a_cell=in_a_cell, until=UNTIL)
    link.send(*messages)
    check(
        link,
        retried(pieces, outages, backoff(retry), messages),
        [size for _, size in messages],
    )


@given(CASES, st.none() | RETRIES, st.booleans(), st.sampled_from([0.0, 0.5]))
def test_the_ledger_balances_at_every_event(case, retry, in_a_cell, latency_ms):
    pieces, outages, messages = case
    link = Wire(pieces, outages, retry, latency_ms, in_a_cell, UNTIL)

    def balances():
        now, ledger = link.clock.time, link.link.ledger
        assert ledger.sent == ledger.delivered + ledger.lost + ledger.in_flight
        assert ledger.queued + ledger.sent + ledger.dropped == sum(t.wire_bytes for t in link.sent)
        assert ledger.dropped == sum(t.payload_bytes for t in link.sent if t.fate == "failed")
        assert ledger.delivered == sum(t.payload_bytes for t in link.sent if t.delivered_at is not None)
        assert ledger.lost == sum(t.retransmitted_bytes for t in link.over)
        assert ledger.queued == sum(t.wire_bytes for t in link.sent if not t.has_started(now))
        assert min(vars(ledger).values()) >= 0

    link.send(*messages, check=balances)
    assert [t for t in link.sent if t.sent_at is not None] == link.over


def test_an_account_holds_what_has_been_begun_and_nothing_of_the_future(wire):
    """A byte takes a millisecond: of 3000 bytes 2000 are sent by 2 s, and 1000 from 3 to 4 s in the last attempt."""
    outages = [(2 * SECOND, 5 * SECOND // 2), (4 * SECOND, 9 * SECOND // 2)]
    retry = Retry(first_backoff_s=1.0, factor=1.0, most_attempts=2)
    link = wire(((0, 8000),), outages, retry)
    link.clock.call_at(0, lambda: link.link.send(3000, None))
    assert link.ledger_at(SECOND) == Ledger(sent=3000, in_flight=3000)
    assert link.ledger_at(7 * SECOND // 2) == Ledger(sent=5000, in_flight=5000)
    assert link.ledger_at(5 * SECOND) == Ledger(sent=3000, lost=3000, dropped=3000)


@given(CASES, st.none() | RETRIES, st.sampled_from([0.0, 0.5]), st.lists(st.integers(0, 10**10)))
def test_accounts_grow_and_are_the_same_on_a_line_and_in_a_cell(case, retry, latency_ms, times):
    """A cell works out everything as it happens, so that nothing of the future is in its account."""
    pieces, outages, messages = case
    links = [Wire(pieces, outages, retry, latency_ms, in_a_cell, UNTIL) for in_a_cell in (False, True)]
    for link in links:
        for time, size in messages:
            link.clock.call_at(time, lambda link=link, size=size: link.link.send(size, None))
    before = Ledger()
    for time in sorted({*times, *(moment + 1 for outage in outages for moment in outage)} - {0}):
        ledger, in_a_cell = (link.ledger_at(time) for link in links)
        assert ledger == in_a_cell
        assert all(
            getattr(before, state) <= getattr(ledger, state) for state in ("delivered", "lost", "dropped")
        )
        assert before.sent + before.dropped <= ledger.sent + ledger.dropped
        assert before.queued + before.sent + before.dropped <= ledger.queued + ledger.sent + ledger.dropped
        before = ledger
