from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios import catalogue
from sim.messages import Message


def order(name):
    return catalogue.settings_class(catalogue.DISCIPLINES, name)().order()


def upload(device, samples=1, information=0.0, kind="samples"):
    return Message(kind, device, b"", samples, information=information)


def serve(name, waiting):
    """Take in all that waits, with nothing arriving, and return the places in which it waited."""
    discipline, left, taken = order(name), list(enumerate(waiting)), []
    while left:
        place = discipline.choose([message for _, message in left])
        taken.append(left.pop(place)[0])
    return taken


@pytest.mark.parametrize("name", catalogue.names(catalogue.DISCIPLINES))
def test_settings_hold_the_name_of_their_file(name):
    assert catalogue.settings_class(catalogue.DISCIPLINES, name).model_fields["discipline"].default == name
    base = import_module(catalogue.DISCIPLINES).Base
    assert issubclass(catalogue.settings_class(catalogue.DISCIPLINES, name), base)


def test_first_in_first_out():
    assert serve("first_in_first_out", [upload("b"), upload("a", 9), upload("b", information=3.0)]) == [
        0,
        1,
        2,
    ]


def test_most_informative_first():
    waiting = [
        upload("a", information=0.5),
        upload("b", information=2.0),
        upload("a", information=2.0),
        upload("c", kind="statistics"),
        upload("b", information=0.75),
    ]
    assert serve("most_informative_first", waiting) == [3, 1, 2, 4, 0]


def test_devices_of_equal_uploads_take_turns():
    assert serve("fair_per_device", [upload("a"), upload("a"), upload("a"), upload("b"), upload("b")]) == [
        0,
        3,
        1,
        4,
        2,
    ]


def test_a_device_of_large_uploads_has_its_turn_less_often():
    """Start tags: a at 0 and 3; b at 0, 1, 2, 3 (the older of the two at 3 is a's)."""
    waiting = [upload("a", 3), upload("a", 3), *[upload("b", 1)] * 5]
    assert serve("fair_per_device", waiting) == [0, 2, 3, 4, 1, 5, 6]


def test_a_silent_device_saves_nothing_up():
    """After six of a's samples b comes with as many uploads: they take turns, and b's first is not followed by five."""
    discipline = order("fair_per_device")
    for _ in range(6):
        assert discipline.choose([upload("a")]) == 0
    waiting, taken = [upload("a")] * 3 + [upload("b")] * 3, ""
    while waiting:
        taken += waiting.pop(discipline.choose(waiting)).device
    assert taken == "bababa"


SIZES = st.lists(st.integers(0, 20), min_size=1, max_size=8)


@given(st.dictionaries(st.sampled_from("abcd"), SIZES, min_size=2), st.randoms(use_true_random=False))
def test_backlogged_devices_differ_by_no_more_than_their_largest_uploads(sizes, random):
    """Over every stretch in which two devices both wait throughout (Goyal et al. 1996, theorem 1)."""
    waiting = [upload(device, samples) for device, each in sizes.items() for samples in each]
    random.shuffle(waiting)
    discipline = order("fair_per_device")
    served = [dict.fromkeys(sizes, 0)]
    left = list(waiting)
    until = dict.fromkeys(sizes, 0)  # how many had been taken in when the device's last upload was
    while left:
        message = left.pop(discipline.choose(left))
        served.append(served[-1] | {message.device: served[-1][message.device] + max(1, message.samples)})
        until[message.device] = len(served) - 1
    largest = {device: max(*each, 1) for device, each in sizes.items()}
    for one in sizes:
        for other in sizes:
            together = np.array(
                [[step[one], step[other]] for step in served[: min(until[one], until[other])]]
            )
            gap = together[:, 0] - together[:, 1]
            assert gap.max(initial=0) - gap.min(initial=0) <= largest[one] + largest[other]
