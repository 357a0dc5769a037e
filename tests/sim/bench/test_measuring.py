from __future__ import annotations

import gc

import pytest

from sim.bench.measuring import alternate, cpu_time, ratios, wall_time


def sides(calls, *names):
    """Sides that note when they are called, and return how often anything was."""

    def side(name):
        calls.append(name)
        return len(calls)

    return {name: lambda name=name: side(name) for name in names}


def test_sides_take_turns_and_change_places_every_round():
    calls = []
    alternate(sides(calls, "a", "b"), 3)
    assert calls == ["a", "b", "b", "a", "a", "b"]


def test_each_round_is_returned_in_order():
    assert alternate(sides([], "a", "b"), 3) == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_warming_up_counts_for_nothing():
    calls = []
    assert alternate(sides(calls, "a", "b"), 1, warm_up=True) == {"a": [3], "b": [4]}
    assert calls == ["a", "b", "a", "b"]


def test_every_call_is_reported_before_it_is_made():
    told = []
    alternate({"a": lambda: told.append("call")}, 2, warm_up=True, report=told.append)
    assert told == ["warming up: a", "call", "round 1 of 2: a", "call", "round 2 of 2: a", "call"]


def test_what_was_there_before_is_left_out_of_collections_only_meanwhile():
    frozen = []
    alternate({"a": lambda: frozen.append(gc.get_freeze_count())}, 1)
    assert frozen[0] > 1000
    assert gc.get_freeze_count() == 0


def test_no_rounds_are_a_mistake():
    with pytest.raises(ValueError, match="0 rounds"):
        alternate(sides([], "a"), 0)


def test_ratios_are_those_of_each_round():
    assert ratios([1.0, 6.0], [2.0, 3.0]) == (0.5, 2.0)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 6.0], [2.0])


@pytest.mark.parametrize("time", [wall_time, cpu_time])
def test_times_are_of_one_call(time):
    calls = []
    assert time(lambda: calls.append(1)) >= 0
    assert calls == [1]
