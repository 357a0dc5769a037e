"""Upload budgets in exact arithmetic: token buckets, allowances by period, and who waits for them.

Times are whole nanoseconds and sizes whole bytes; nothing is ever overdrawn, and the first moment at which a size is
available is known to the nanosecond.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from sim.clock import SECOND, Clock, nanoseconds

if TYPE_CHECKING:
    from scenarios.budgets import Budget as BudgetSettings

BYTE = 8 * SECOND
"""A byte in the unit of a token bucket's level: what a bit per second brings in a nanosecond."""


class Limit(Protocol):
    """Something that limits how many bytes go; time never runs backwards between calls.

    Attributes:
        field: the setting that bounds the largest message.
        size: its value.

    """

    field: ClassVar[str]
    size: int

    def available(self, now: int) -> int:
        """Return how many bytes can go at `now`."""

    def take(self, size: int, now: int) -> bool:
        """Spend `size` bytes at `now`, and tell whether they were there; otherwise nothing is spent."""

    def ready_at(self, size: int, now: int) -> int | None:
        """Return the first moment from `now` on at which `size` bytes can go if none go before; None for never."""

    def least_for(self, size: int) -> int:
        """Return the least value of `field` with which a message of `size` bytes can ever go."""


class TokenBucket:
    """A bucket that starts full: `rate` bits flow in each second, up to `burst` bytes."""

    field: ClassVar[str] = "burst_bytes"

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
        self.size = burst
        self.capacity = burst * BYTE
        self._level = self.capacity
        self._since = 0

    def available(self, now: int) -> int:
        """Return the whole bytes in the bucket."""
        return self._level_at(now) // BYTE

    def take(self, size: int, now: int) -> bool:
        """Take `size` bytes out of the bucket if they are in it."""
        level = self._level_at(now) - size * BYTE
        if level < 0:
            return False
        self._level, self._since = level, now
        return True

    def ready_at(self, size: int, now: int) -> int | None:
        """Return when `size` bytes are in the bucket; None where they are more than it holds."""
        if size * BYTE > self.capacity:
            return None
        missing = size * BYTE - self._level_at(now)
        return now if missing <= 0 else now - (-missing // self.rate)

    def least_for(self, size: int) -> int:
        """Return `size`."""
        return size

    def _level_at(self, now: int) -> int:
        return min(self.capacity, self._level + (now - self._since) * self.rate)


class Allowance:
    """So many bytes in each period; the first begins at `start`, and nothing goes before.

    Paced evenly, at most size * t // period + `ahead` of them by time t of a period; None: all from its beginning.
    """

    field: ClassVar[str] = "allowance_bytes"

    def __init__(self, size: int, period: int, start: int = 0, ahead: int | None = None) -> None:
        self.size = size
        self.period = period
        self.start = start
        self.ahead = ahead
        self._number = 0
        self._spent = 0

    def available(self, now: int) -> int:
        """Return what is free by now and not spent in this period."""
        if now < self.start:
            return 0
        number, elapsed = divmod(now - self.start, self.period)
        return self._free(elapsed) - self._spent_in(number)

    def take(self, size: int, now: int) -> bool:
        """Spend `size` bytes of this period's if they are available."""
        if size > self.available(now):
            return False
        number = max(0, now - self.start) // self.period
        self._number, self._spent = number, self._spent_in(number) + size
        return True

    def ready_at(self, size: int, now: int) -> int | None:
        """Return when `size` bytes are available, in this period or the next; None where no period ever has them."""
        if size <= self.available(now):
            return now
        if size > self._free(self.period - 1):
            return None
        number = max(0, now - self.start) // self.period
        due = self._spent_in(number) + size
        if due > self._free(self.period - 1):
            number, due = number + 1, size
        return self.start + number * self.period + self._free_at(due)

    def least_for(self, size: int) -> int:
        """Return `size`, or what lets so much be free in the last nanosecond of a period with an even pace."""
        sizes = (Allowance(least, self.period, 0, self.ahead) for least in count(size))
        return next(each.size for each in sizes if size <= each.available(self.period - 1))

    def _spent_in(self, number: int) -> int:
        return self._spent if number == self._number else 0

    def _free(self, elapsed: int) -> int:
        """Return how much of a period's bytes may have been spent by a time of it."""
        if self.ahead is None:
            return self.size
        return min(self.size, self.size * elapsed // self.period + self.ahead)

    def _free_at(self, due: int) -> int:
        """Return the first time of a period by which so much may have been spent."""
        if self.ahead is None or due <= self.ahead:
            return 0
        return -((self.ahead - due) * self.period // self.size)


class Hopeless(NamedTuple):
    """Samples for which a budget never has room: how many, and the bytes of the smallest, alone with its headers."""

    samples: int = 0
    least_bytes: int = 0

    def joined(self, other: Hopeless) -> Hopeless:
        """Return what both are together."""
        if not (self.samples and other.samples):
            return self if self.samples else other
        return Hopeless(self.samples + other.samples, min(self.least_bytes, other.least_bytes))


class Waiter(Protocol):
    """Something with messages that wait until a budget has room for them."""

    def least(self) -> int | None:
        """Return the bytes of what it sends next; None where nothing waits. The budget has room for them some day."""

    def proceed(self) -> bool:
        """Send what the budget has room for, `least` and perhaps more, and tell whether that is anything."""


class Budget:
    """The limits of those who share a budget, and the line of those who wait for it.

    Who is first in the line sends all that there is room for, and goes to its end if more remains. Nobody overtakes:
    while somebody waits, what others want to send waits behind.

    Attributes:
        settings: how samples are chosen that fit, and what becomes of the others.
        limits: all of which a message is charged to, or none.
        name: under which a scenario describes it.
        hopeless: the samples that would not fit it at any time.

    """

    def __init__(
        self, clock: Clock, settings: BudgetSettings, limits: Sequence[Limit], name: str = ""
    ) -> None:
        self.clock = clock
        self.settings = settings
        self.limits = limits
        self.name = name
        self.hopeless = Hopeless()
        self._line: OrderedDict[Waiter, None] = OrderedDict()
        self._alarm: int | None = None

    def available(self) -> int:
        """Return how many bytes can go now."""
        return min(limit.available(self.clock.time) for limit in self.limits)

    def take(self, size: int) -> bool:
        """Spend `size` bytes now if every limit has them, and tell whether; otherwise nothing is spent."""
        if size > self.available():
            return False
        for limit in self.limits:
            limit.take(size, self.clock.time)
        return True

    def ready_at(self, size: int) -> int | None:
        """Return the first moment from now on at which every limit has `size` bytes; None for never."""
        time = self.clock.time
        while True:
            moments = [limit.ready_at(size, time) for limit in self.limits]
            known = [moment for moment in moments if moment is not None]
            if len(known) < len(moments):
                return None
            latest = max(known)
            if latest == time:
                return time
            time = latest  # one that was ready earlier, as at the end of a period, may not be any more

    def too_small_for(self, size: int, kind: str) -> list[str]:
        """Say of each limit that never has room for a message that must go what it is, and what would do."""
        now = self.clock.time
        return [
            f"budgets.{self.name}.{limit.field}: {limit.size}: must be at least {limit.least_for(size)}, "
            f"since a message of {kind} takes {size} bytes with its headers and is never given up"
            for limit in self.limits
            if limit.ready_at(size, now) is None
        ]

    def is_open_to(self, waiter: Waiter) -> bool:
        """Tell whether nobody else waits before it."""
        return not self._line or self._first() is waiter

    def give_turn(self, waiter: Waiter) -> None:
        """Let it proceed if nobody else waits before it; having sent something, it waits behind all others."""
        if self.is_open_to(waiter) and waiter.proceed() and waiter in self._line:
            self._line.move_to_end(waiter)

    def attend(self, waiter: Waiter) -> None:
        """Take note of what it waits for now: it joins the line, stays in its place, or leaves."""
        if waiter.least() is None:
            self._line.pop(waiter, None)
        else:
            self._line.setdefault(waiter)
        self._set_alarm()

    def _first(self) -> Waiter:
        return next(iter(self._line))

    def _set_alarm(self) -> None:
        """Be called when there is room for what the first of the line sends next."""
        size = self._first().least() if self._line else None
        time = None if size is None else self.ready_at(size)
        if time is not None and time != self._alarm:
            self.clock.call_at(time, partial(self._serve, time))
        self._alarm = time

    def _serve(self, time: int) -> None:
        """Let the line proceed as far as there is room."""
        if time != self._alarm:
            return  # the line has changed since
        self._alarm = None
        while self._line:
            waiter = self._first()
            size = waiter.least()
            if size is not None:
                if size > self.available():
                    break
                self.give_turn(waiter)
            if waiter.least() is None:
                del self._line[waiter]
        self._set_alarm()


class Budgets:
    """The budgets of a run, each made when the first device asks for it."""

    def __init__(self, clock: Clock, described: Mapping[str, BudgetSettings]) -> None:
        self.clock = clock
        self.described = described
        self._made: dict[tuple[str, str], Budget] = {}

    def of(self, device: str, group: str, name: str | None) -> Budget | None:
        """Return the budget called `name` that a device of a group spends from; None where it names none."""
        if name is None:
            return None
        settings = self.described[name]
        owner = {"device": device, "group": group, "fleet": ""}[settings.per]
        if (name, owner) not in self._made:
            self._made[name, owner] = Budget(self.clock, settings, limits_of(settings), name)
        return self._made[name, owner]

    @property
    def hopeless(self) -> dict[str, Hopeless]:
        """The samples that would never fit, by the name of the budget; nothing for one that all samples fit."""
        found: dict[str, Hopeless] = {}
        for (name, _), budget in self._made.items():
            if budget.hopeless.samples:
                found[name] = found.get(name, Hopeless()).joined(budget.hopeless)
        return found


def limits_of(settings: BudgetSettings) -> list[Limit]:
    """Return what a budget consists of, at least one limit."""
    limits: list[Limit] = []
    if settings.rate_kbps is not None and settings.burst_bytes is not None:
        limits.append(TokenBucket(max(1, round(settings.rate_kbps * 1000)), settings.burst_bytes))
    if settings.allowance_bytes is not None:
        ahead = settings.ahead_bytes if settings.pacing == "even" else None
        period, start = nanoseconds(settings.period_s), nanoseconds(settings.starts_at_s)
        limits.append(Allowance(settings.allowance_bytes, period, start, ahead))
    return limits
