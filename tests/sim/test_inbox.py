from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenarios.cloud import Inbox as InboxSettings
from sim.inbox import Inbox
from sim.messages import Message


def make(**settings):
    return Inbox(InboxSettings.model_validate(settings))


def fill(inbox, *messages):
    """Add messages one by one, each a device and its information; return the devices refused after each."""
    refused = []
    for time, (device, information) in enumerate(messages):
        inbox.add(Message("samples", device, b"", 1, information=information), time)
        refused.append("".join(message.device for message in inbox.trim()))
    return refused


def waiting(inbox):
    return "".join(message.device for message, _ in inbox.waiting)


MESSAGES = [("a", 0.5), ("b", 0.25), ("c", 0.75), ("d", 0.25), ("e", 0.125), ("f", 1.0)]


@pytest.mark.parametrize(
    ("overflow", "refused", "left"),
    [
        ("reject_newest", ["", "", "", "d", "e", "f"], "abc"),
        ("drop_oldest", ["", "", "", "a", "b", "c"], "def"),
        (
            "drop_least_informative",
            ["", "", "", "d", "e", "b"],
            "acf",
        ),  # of b and d, which are equal, the newer
    ],
)
def test_what_a_full_inbox_refuses(overflow, refused, left):
    inbox = make(capacity=3, overflow=overflow)
    assert fill(inbox, *MESSAGES) == refused
    assert waiting(inbox) == left


def test_without_a_capacity_nothing_is_refused():
    inbox = make()
    assert fill(inbox, *MESSAGES) == [""] * 6
    assert len(inbox) == 6


def test_statistics_stay():
    inbox = make(capacity=1, overflow="drop_least_informative")
    inbox.add(Message("statistics", "a", b""), 0)
    assert fill(inbox, ("b", 9.0)) == ["b"]


def test_uploads_of_senders_that_may_not_are_left_alone():
    inbox = make()
    fill(inbox, *MESSAGES)
    assert inbox.take("cd".__contains__)[0].device == "c"
    assert inbox.take("cd".__contains__)[0].device == "d"
    assert inbox.take("cd".__contains__) is None
    message, arrival = inbox.take("f".__contains__)
    assert (message.device, arrival, waiting(inbox)) == ("f", 5, "abe")


def test_what_is_lost_takes_the_past_of_the_discipline_with_it():
    inbox = make(discipline="fair_per_device")
    fill(inbox, ("a", 0.0), ("a", 0.0))
    inbox.take(lambda _: True)
    assert [message.device for message in inbox.lose()] == ["a"]
    fill(inbox, ("a", 0.0), ("b", 0.0))
    assert inbox.take(lambda _: True)[0].device == "a"  # it was served before the loss, and is the oldest now


def test_an_unknown_discipline_is_the_users_mistake():
    with pytest.raises(ValidationError, match="fair_per_device, first_in_first_out, most_informative_first"):
        make(discipline="shortest_first")


DISCIPLINES = st.sampled_from(["fair_per_device", "first_in_first_out", "most_informative_first"])
OVERFLOWS = st.sampled_from(["reject_newest", "drop_oldest", "drop_least_informative"])
ACTIONS = st.lists(st.none() | st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=40)


@given(DISCIPLINES, OVERFLOWS, st.integers(0, 5), ACTIONS)
def test_every_upload_is_taken_or_refused_or_waits(discipline, overflow, capacity, actions):
    inbox = make(discipline=discipline, overflow=overflow, capacity=capacity)
    arrived, gone = [], []
    for time, action in enumerate(actions):
        if action is None:
            entry = inbox.take(lambda _: True)
            assert (entry is None) == (len(arrived) == len(gone))
            gone += [] if entry is None else [entry[0]]
        else:
            message = Message("samples", action[0], bytes([time]), 1, information=action[1])
            arrived.append(message)
            inbox.add(message, time)
            gone += inbox.trim()
        assert len(inbox) <= capacity
        left = [message for message, _ in inbox.waiting]
        assert sorted(m.payload for m in gone + left) == [m.payload for m in arrived]
