from __future__ import annotations

import pytest
from pydantic import ValidationError

from scenarios.cloud import Autoscaling, Cloud
from sim.accelerators import Accelerators
from sim.clock import SECOND, Clock


def make(minimum=1, **autoscaling):
    clock, events = Clock(), []
    made = Accelerators(
        clock,
        minimum,
        Autoscaling.model_validate(autoscaling) if autoscaling else None,
        lambda event: events.append((clock.time / SECOND, event.removeprefix("accelerator_"), made.paid)),
        lambda: None,
    )
    return clock, made, events


def at(clock, *actions):
    for time, action in actions:
        clock.call_at(round(time * SECOND), action)
    clock.run()


def test_without_autoscaling_there_are_as_many_as_at_first():
    _, accelerators, events = make(3)
    accelerators.scale(1000)
    accelerators.take()
    assert (accelerators.free, accelerators.ready, accelerators.paid, events) == (2, 3, 3, [])


def test_more_are_started_while_more_wait_for_each_than_allowed():
    _, accelerators, events = make(2, most_accelerators=9, waiting_per_accelerator=3.0, start_up_s=5.0)
    accelerators.scale(6)
    assert events == []
    accelerators.scale(13)  # more than 3 x 4, no more than 3 x 5
    assert events == [(0.0, "starting", 3), (0.0, "starting", 4), (0.0, "starting", 5)]
    assert (accelerators.free, accelerators.ready) == (2, 2)


def test_never_more_than_the_most():
    _, accelerators, events = make(1, most_accelerators=3, waiting_per_accelerator=0.0)
    accelerators.scale(1000)
    assert (accelerators.paid, len(events)) == (3, 2)


def test_one_is_ready_after_its_start_and_stopped_when_idle_for_long():
    """Both are free from 6 s on and one has to go: the one that has been idle since 6 s."""
    clock, accelerators, events = make(1, most_accelerators=2, start_up_s=5.0, idle_s=10.0)
    accelerators.take()
    at(
        clock,
        (1.0, lambda: accelerators.scale(9)),
        (6.5, accelerators.take),
        (8.0, accelerators.release),
        (9.0, accelerators.take),
        (12.0, accelerators.release),
    )
    # The first is busy throughout; the second was used last at 12 s.
    assert events == [(1.0, "starting", 2), (6.0, "ready", 2), (22.0, "stopped", 1)]
    assert (accelerators.free, accelerators.ready) == (0, 1)


def test_the_longest_idle_is_stopped_first():
    clock, accelerators, events = make(1, most_accelerators=3, waiting_per_accelerator=0.0, idle_s=10.0)
    accelerators.take()
    at(
        clock,
        (0.0, lambda: accelerators.scale(2)),
        (1.0, accelerators.take),
        (1.0, accelerators.take),
        (2.0, accelerators.release),
        (5.0, accelerators.release),
        (7.0, accelerators.take),  # the one that was released at 5 s
        (20.0, accelerators.release),
        (21.0, accelerators.release),
    )
    assert [event for event in events if event[1] == "stopped"] == [
        (12.0, "stopped", 2),
        (30.0, "stopped", 1),
    ]


def test_the_first_ones_stay():
    clock, accelerators, events = make(2, most_accelerators=3, idle_s=1.0)
    accelerators.take()
    at(clock, (5.0, accelerators.release), (100.0, accelerators.take))
    assert (accelerators.ready, accelerators.free, events) == (2, 1, [])


def test_what_is_stopped_is_not_there_until_it_begins_anew_and_forgets_those_that_are_starting():
    clock, accelerators, events = make(1, most_accelerators=2, start_up_s=5.0)
    meanwhile = []
    accelerators.take()
    at(
        clock,
        (1.0, lambda: accelerators.scale(9)),
        (2.0, accelerators.stop),
        (2.5, lambda: meanwhile.append((accelerators.paid, accelerators.free))),
        (3.0, accelerators.begin_anew),
    )
    assert meanwhile == [(0, 0)]
    assert (accelerators.free, accelerators.ready, accelerators.paid) == (1, 1, 1)
    assert events == [(1.0, "starting", 2)]


def test_there_must_be_room_for_more():
    with pytest.raises(ValidationError, match="must be more than the 4 of `accelerators`, unlike 4"):
        Cloud.model_validate({"gflops": 1.0, "accelerators": 4, "autoscaling": {"most_accelerators": 4}})
