"""Budgets against references in exact fractions, and the line of those who wait for one."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scenarios.budgets import Budget as BudgetSettings
from sim.budget import Allowance, Budget, Budgets, Hopeless, TokenBucket, limits_of
from sim.clock import SECOND, Clock

KBPS = 1000
DAY = 86_400 * SECOND

ASKS = st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 120)), min_size=1, max_size=30)
"""Gaps in nanoseconds, each with the bytes then asked for."""
RATES = st.integers(1, 2000)
BURSTS = st.integers(1, 100)
SIZES = st.integers(1, 100)
PERIODS = st.integers(1, 5 * SECOND)
STARTS = st.integers(0, 4 * SECOND)
AHEADS = st.none() | st.integers(0, 50)

BUCKETS = st.builds(TokenBucket, RATES, BURSTS)
ALLOWANCES = st.builds(Allowance, SIZES, PERIODS, STARTS, AHEADS)


def spent(limit, asks):
    """Ask for bytes at increasing times; return when how many were given."""
    now, given_ = 0, []
    for gap, size in asks:
        now += gap
        available = limit.available(now)
        taken = limit.take(size, now)
        assert taken == (size <= available)
        assert limit.available(now) == available - taken * size
        if taken:
            given_.append((now, size))
    return given_


@given(RATES, BURSTS, ASKS)
def test_a_token_bucket_holds_what_flowed_in_and_was_not_taken(rate, burst, asks):
    bucket, level, before, now = TokenBucket(rate, burst), Fraction(burst), 0, 0
    for gap, size in asks:
        now += gap
        level = min(Fraction(burst), level + Fraction((now - before) * rate, 8 * SECOND))
        before = now
        assert bucket.available(now) == math.floor(level)
        if bucket.take(size, now):
            level -= size
            assert level >= 0


@given(RATES, BURSTS, ASKS)
def test_no_stretch_of_time_takes_more_than_the_burst_and_what_flows_in(rate, burst, asks):
    taken = spent(TokenBucket(rate, burst), asks)
    for first, (start, _) in enumerate(taken):
        for last in range(first, len(taken)):
            between = Fraction((taken[last][0] - start) * rate, 8 * SECOND)
            assert sum(size for _, size in taken[first : last + 1]) <= burst + between


@given(SIZES, PERIODS, STARTS, AHEADS, ASKS)
def test_no_period_takes_more_than_its_allowance_nor_more_than_its_pace(size, period, start, ahead, asks):
    totals: dict[int, int] = {}
    for time, taken in spent(Allowance(size, period, start, ahead), asks):
        if taken == 0:
            continue
        assert time >= start
        number = (time - start) // period
        totals[number] = totals.get(number, 0) + taken
        assert totals[number] <= size
        if ahead is not None:
            assert totals[number] <= Fraction(size * (time - start - number * period), period) + ahead


@given(SIZES, PERIODS, STARTS, ASKS)
def test_all_of_an_allowance_can_be_spent(size, period, start, asks):
    """Without a pace, what is available is the allowance less what the period has spent already."""
    allowance, totals, now = Allowance(size, period, start), {}, 0
    for gap, wanted in asks:
        now += gap
        number = (now - start) // period
        expected = size - totals.get(number, 0) if now >= start else 0
        assert allowance.available(now) == expected
        if allowance.take(wanted, now):
            totals[number] = totals.get(number, 0) + wanted


@given(BUCKETS | ALLOWANCES, ASKS, st.integers(0, SECOND), st.integers(0, 120))
def test_the_first_moment_at_which_bytes_are_there_is_exact(limit, asks, later, size):
    spent(limit, asks)
    now = sum(gap for gap, _ in asks) + later
    ready = limit.ready_at(size, now)
    if ready is None:
        moments = (now, now + SECOND, now + DAY, now + 10 * DAY)
        assert all(limit.available(moment) < size for moment in moments)
        return
    assert limit.available(ready) >= size
    assert ready == now or limit.available(ready - 1) < size
    assert limit.available(now) >= size or ready > now


@given(st.lists(BUCKETS | ALLOWANCES, min_size=1, max_size=3), ASKS, st.integers(0, 120))
def test_a_message_goes_only_if_every_limit_has_room_for_it(limits, asks, size):
    clock = Clock()
    budget = Budget(clock, BudgetSettings(allowance_bytes=1), limits)
    for gap, wanted in asks:
        clock.run(until=clock.time + gap + 1)
        before = [limit.available(clock.time) for limit in limits]
        taken = budget.take(wanted)
        assert taken == all(wanted <= room for room in before)
        after = [limit.available(clock.time) for limit in limits]
        assert after == ([room - wanted for room in before] if taken else before)
    ready = budget.ready_at(size)
    if ready is not None:
        assert all(limit.available(ready) >= size for limit in limits)
        assert ready == clock.time or any(limit.available(ready - 1) < size for limit in limits)


def test_a_bucket_in_numbers():
    """8 kbit/s are a byte in a millisecond."""
    bucket = TokenBucket(8 * KBPS, 1000)
    assert bucket.take(1000, 0)
    assert not bucket.take(1, 999_999)
    assert bucket.ready_at(1, 999_999) == 1_000_000
    assert bucket.take(1, 1_000_000)
    assert bucket.ready_at(1000, 1_000_000) == 1001 * 1_000_000
    assert bucket.ready_at(1001, 1_000_000) is None
    assert bucket.available(10 * SECOND) == 1000


def test_an_allowance_in_numbers():
    """1000 bytes in each 10 s from second 5 on."""
    allowance = Allowance(1000, 10 * SECOND, 5 * SECOND)
    assert allowance.ready_at(1000, 0) == 5 * SECOND
    assert not allowance.take(1, 5 * SECOND - 1)
    assert allowance.take(700, 5 * SECOND)
    assert allowance.ready_at(300, 6 * SECOND) == 6 * SECOND
    assert allowance.ready_at(301, 6 * SECOND) == 15 * SECOND
    assert allowance.ready_at(1001, 6 * SECOND) is None
    assert allowance.available(15 * SECOND - 1) == 300
    assert allowance.available(15 * SECOND) == 1000


def test_a_paced_allowance_in_numbers():
    """1000 bytes in 10 s are 100 a second, and 50 may go ahead."""
    allowance = Allowance(1000, 10 * SECOND, ahead=50)
    assert allowance.available(0) == 50
    assert allowance.take(50, 0)
    assert allowance.ready_at(100, 0) == SECOND
    assert allowance.take(850, 9 * SECOND)
    assert allowance.ready_at(100, 9 * SECOND) == 9 * SECOND + SECOND // 2  # 1000 are free by 9.5 s
    assert allowance.ready_at(101, 9 * SECOND) == 10 * SECOND + 51 * SECOND // 100
    assert allowance.available(20 * SECOND) == 50  # of an unspent period nothing carries over


def test_without_anything_ahead_the_whole_allowance_is_never_there_at_once():
    assert Allowance(1000, 10 * SECOND, ahead=0).ready_at(1000, 0) is None
    assert Allowance(1000, 10 * SECOND, ahead=0).ready_at(999, 0) == 10 * SECOND - SECOND // 100


def test_the_bucket_fills_while_a_period_ends():
    """After 300 bytes at once the bucket has 300 again at 3 s, in the second period of 2 s: then all limits have."""
    clock = Clock()
    limits = [TokenBucket(800, 300), Allowance(300, 2 * SECOND, ahead=150)]
    assert limits[0].take(300, 0)
    budget = Budget(clock, BudgetSettings(allowance_bytes=1), limits)
    # The period lets 300 go from its first second on: 1 to 2 s and 3 to 4 s.
    assert budget.ready_at(300) == 3 * SECOND
    assert budget.ready_at(100) == SECOND
    # 350 ms into its periods the pace has 202 bytes, and the bucket 202 from 2.02 s on.
    assert budget.ready_at(202) == 2 * SECOND + math.ceil(Fraction(52 * 2 * SECOND, 300))


class Sender:
    """Waits with messages of given sizes and notes in a common list when each goes."""

    def __init__(self, name, budget, events):
        self.name, self.budget, self.events = name, budget, events
        self.sizes: list[int] = []

    def ask(self, *sizes):
        self.sizes += sizes
        self.budget.give_turn(self)
        self.budget.attend(self)

    def withdraw(self):
        self.sizes = []
        self.budget.attend(self)

    def least(self):
        return self.sizes[0] if self.sizes else None

    def proceed(self):
        before = len(self.sizes)
        while self.sizes and self.budget.take(self.sizes[0]):
            self.events.append((self.budget.clock.time / SECOND, self.name, self.sizes.pop(0)))
        return len(self.sizes) < before


def senders(names, **settings):
    """Return the clock, senders that share a budget, and what happens."""
    clock, events, described = Clock(), [], BudgetSettings(**settings)
    budget = Budget(clock, described, limits_of(described))
    return clock, [Sender(name, budget, events) for name in names], events


HUNDRED_A_SECOND = {"rate_kbps": 0.8, "burst_bytes": 200}


def test_trace_of_a_bucket_that_several_wait_for():
    clock, (a, b, c), events = senders("abc", **HUNDRED_A_SECOND)
    clock.call_at(0, lambda: a.ask(200, 100, 50))
    clock.call_at(0, lambda: b.ask(150))
    clock.call_at(SECOND // 2, lambda: c.ask(10))  # 50 bytes are there, but others asked before
    clock.run()
    assert events == [
        (0.0, "a", 200),
        (1.0, "a", 100),  # it asked first; its 50 go to the end of the line
        (2.5, "b", 150),
        (2.6, "c", 10),
        (3.1, "a", 50),
    ]


def test_trace_of_an_allowance_that_begins_anew():
    clock, (a, b), events = senders("ab", allowance_bytes=300, period_s=10.0)
    clock.call_at(SECOND, lambda: a.ask(200, 200))
    clock.call_at(2 * SECOND, lambda: b.ask(100, 60))
    clock.run()
    assert events == [(1.0, "a", 200), (10.0, "a", 200), (10.0, "b", 100), (20.0, "b", 60)]


def test_who_leaves_the_line_no_longer_holds_up_the_others():
    clock, (a, b), events = senders("ab", **HUNDRED_A_SECOND)
    clock.call_at(0, lambda: a.ask(200, 200))
    clock.call_at(0, lambda: b.ask(20, 20))
    clock.call_at(SECOND // 10, a.withdraw)
    clock.run()
    assert events == [(0.0, "a", 200), (0.2, "b", 20), (0.4, "b", 20)]


def test_who_has_sent_something_waits_behind_the_others_also_when_it_asks_again():
    """At 0.5 s there are 50 bytes, of which `a`, first in the line, sends 30 that it would rather send than its 150."""
    clock, (a, b), events = senders("ab", **HUNDRED_A_SECOND)
    clock.call_at(0, lambda: a.ask(200, 150))
    clock.call_at(0, lambda: b.ask(100))
    for tenths in (5, 7, 9):
        clock.call_at(tenths * SECOND // 10, lambda: a.sizes.insert(0, 30) or a.ask())
    clock.run()
    assert events == [
        (0.0, "a", 200),
        (0.5, "a", 30),
        (1.3, "b", 100),
        *((1.6, "a", 30), (1.9, "a", 30), (3.4, "a", 150)),
    ]


def test_the_first_of_the_line_may_change_what_it_waits_for():
    clock, (a,), events = senders("a", **HUNDRED_A_SECOND)
    clock.call_at(0, lambda: a.ask(200, 150))
    clock.call_at(SECOND // 4, lambda: a.sizes.insert(0, 30) or a.budget.attend(a))
    clock.run()
    assert events == [(0.0, "a", 200), (0.3, "a", 30), (1.8, "a", 150)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 40)), min_size=1, max_size=25),
    st.booleans(),
)
def test_everything_goes_in_the_end_in_each_ones_order_and_within_the_limits(asks, paced):
    """Whatever is asked for by whom and when: a shared budget is never overdrawn, and nobody waits for ever."""
    pacing = {"pacing": "even", "ahead_bytes": 20} if paced else {}
    clock, all_of_them, events = senders(
        "abcd", rate_kbps=0.4, burst_bytes=40, allowance_bytes=90, period_s=2.0, **pacing
    )
    asks = sorted(asks, key=lambda ask: ask[1])
    for who, tenths, size in asks:
        sender = all_of_them[who]
        clock.call_at(tenths * SECOND // 10, lambda s=sender, n=size: s.ask(n))
    clock.run()
    for who, sender in enumerate(all_of_them):
        assert [n for _, name, n in events if name == sender.name] == [n for w, _, n in asks if w == who]
    for number in range(len(events)):
        later = [(time, n) for time, _, n in events[number:]]
        for count in range(1, len(later) + 1):
            flows_in = Fraction(50) * (Fraction(later[count - 1][0]) - Fraction(later[0][0]))
            assert sum(n for _, n in later[:count]) <= 40 + flows_in + Fraction(1, 10**6)
    periods: dict[int, int] = {}
    for time, _, n in events:
        periods[int(time // 2)] = periods.get(int(time // 2), 0) + n
    assert max(periods.values()) <= 90


@pytest.mark.parametrize(
    ("per", "shared"),
    [
        ("device", {"a-0": 0, "a-1": 1, "b-0": 2}),
        ("group", {"a-0": 0, "a-1": 0, "b-0": 1}),
        ("fleet", {"a-0": 0, "a-1": 0, "b-0": 0}),
    ],
)
def test_who_shares_a_budget(per, shared):
    budgets = Budgets(Clock(), {"plan": BudgetSettings(per=per, allowance_bytes=10)})
    found = {device: budgets.of(device, device[0], "plan") for device in shared}
    distinct = list({id(budget): None for budget in found.values()})
    assert {device: distinct.index(id(budget)) for device, budget in found.items()} == shared
    assert all(budgets.of(device, device[0], "plan") is budget for device, budget in found.items())


@given(ALLOWANCES | BUCKETS, st.integers(1, 300))
def test_the_least_value_that_lets_a_message_go_is_exact(limit, size):
    def with_value(value):
        if isinstance(limit, TokenBucket):
            return TokenBucket(limit.rate, value)
        return Allowance(value, limit.period, limit.start, limit.ahead)

    assume(limit.size < size < 10 * getattr(limit, "period", SECOND))
    least = limit.least_for(size)
    assert with_value(least).ready_at(size, 0) is not None
    assert with_value(least - 1).ready_at(size, 0) is None


def test_what_is_too_small_for_a_message_is_told_of_each_limit():
    described = BudgetSettings(rate_kbps=1, burst_bytes=90, allowance_bytes=100, pacing="even", period_s=10)
    budget = Budget(Clock(), described, limits_of(described), "daily")
    assert [text.split(", ")[0] for text in budget.too_small_for(100, "statistics")] == [
        "budgets.daily.burst_bytes: 90: must be at least 100",
        "budgets.daily.allowance_bytes: 100: must be at least 101",
    ]
    assert budget.too_small_for(90, "statistics") == []


def test_what_never_fits_is_counted_by_the_budgets_name():
    budgets = Budgets(Clock(), {name: BudgetSettings(allowance_bytes=10) for name in ("small", "other")})
    for device, found in (("a-0", Hopeless(2, 50)), ("a-1", Hopeless(1, 40)), ("a-2", Hopeless())):
        budgets.of(device, "a", "small").hopeless = found
    budgets.of("b-0", "b", "other")
    assert budgets.hopeless == {"small": (3, 40)}


def test_a_group_without_a_budget_has_none():
    assert Budgets(Clock(), {}).of("a-0", "a", None) is None


def test_what_a_scenario_says_becomes_limits():
    bucket, allowance = limits_of(
        BudgetSettings(
            rate_kbps=12.5,
            burst_bytes=700,
            allowance_bytes=9000,
            period_s=0.5,
            starts_at_s=0.25,
            pacing="even",
            ahead_bytes=3,
        )
    )
    assert (bucket.rate, bucket.available(0)) == (12_500, 700)
    assert (allowance.size, allowance.period, allowance.start, allowance.ahead) == (
        9000,
        SECOND // 2,
        SECOND // 4,
        3,
    )
    (unpaced,) = limits_of(BudgetSettings(allowance_bytes=9000))
    assert (unpaced.period, unpaced.start, unpaced.ahead) == (DAY, 0, None)
