"""The shifts that each device's world goes through, from its group's schedule."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, chain, cycle, pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple

from scenarios.world import Shift
from sim.clock import nanoseconds

if TYPE_CHECKING:
    from scenarios.fleet import Group
    from sim.streams import RandomStreams


class Stretch(NamedTuple):
    """A state of the world, and for how many nanoseconds it lasts; None: for good."""

    shift: Shift
    length: int | None


CLEAN_FOR_GOOD = Stretch(Shift(), None)


class Schedule:
    """The shifts of one device's world over time, ramps cut into their steps. Asked for times that never decrease.

    The device's own order of the shifts and the moment of a round at which it begins have a random stream each.
    """

    def __init__(self, device: str, group: Group, streams: RandomStreams) -> None:
        stretches = _round(device, group, streams)
        rounds = cycle([stretches]) if group.repeat_schedule else repeat(stretches, group.rounds or 1)
        clean = [CLEAN_FOR_GOOD] if group.afterwards == "clean" else []
        self._ahead = chain(chain.from_iterable(rounds), clean)
        self._now, self._end = next(self._ahead)

    def at(self, time: int) -> Shift:
        """Return the shift that holds at `time` nanoseconds; the last one holds for good."""
        while self._end is not None and time >= self._end:
            following = next(self._ahead, None)
            if following is None:
                self._end = None
            else:
                self._now = following.shift
                self._end = None if following.length is None else self._end + following.length
        return self._now


def _round(device: str, group: Group, streams: RandomStreams) -> list[Stretch]:
    """Return what the device goes through in one round, from where it begins."""
    shifts = list(group.schedule)
    if group.schedule_order == "shuffled":
        ending = [shift for shift in shifts if shift.duration_s is not None]
        order = streams.generator(f"{device}/schedule").permutation(len(ending))
        shifts[: len(ending)] = [ending[place] for place in order]
    stretches = [stretch for shift in shifts for stretch in _steps(shift)]
    if group.schedule_start == "together":
        return stretches
    whole = sum(stretch.length or 0 for stretch in stretches)
    if group.schedule_start == "random":
        return _from(int(streams.generator(f"{device}/start").integers(whole)), stretches)
    number = int(device.rpartition("-")[2])  # devices are called <group>-0, <group>-1, ...
    return _from(whole * number // group.count, stretches)


def _steps(shift: Shift) -> list[Stretch]:
    """Cut a ramp into its severities, equally long; any other shift stays whole."""
    if shift.duration_s is None:
        return [Stretch(shift, None)]
    length = nanoseconds(shift.duration_s)
    if shift.severity_to is None:
        return [Stretch(shift, length)]
    states = [Shift(corruption=corruption, severity=severity) for corruption, severity in shift.conditions]
    ends = [length * step // len(states) for step in range(len(states) + 1)]
    return [Stretch(state, end - start) for state, (start, end) in zip(states, pairwise(ends), strict=True)]


def _from(begin: int, stretches: list[Stretch]) -> list[Stretch]:
    """Turn a round so that it begins so many nanoseconds inside, and ends there."""
    ends = list(accumulate(stretch.length or 0 for stretch in stretches))
    place = bisect_right(ends, begin)
    shift, length = stretches[place]
    assert length is not None  # the schema asks for it where devices begin inside a round
    rest = ends[place] - begin
    whole = [*stretches[place + 1 :], *stretches[:place]]
    cut = [Stretch(shift, length - rest)] if rest < length else []
    return [Stretch(shift, rest), *whole, *cut]
