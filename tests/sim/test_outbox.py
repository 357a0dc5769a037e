from types import SimpleNamespace

import pytest

from scenarios.network import Outbox as Settings
from sim.messages import Message
from sim.outbox import Outbox


def message(name, size=10, kind="samples", information=0.0):
    content = Message(kind, name, b"", information=information)
    return SimpleNamespace(name=name, wire_bytes=size, content=content, fate=None)


def filled(outbox, *messages):
    """Put messages in, and return the names of what waits, and of what went out with its fate, in order."""
    gone = [out for each in messages for out in outbox.put(each)]
    return [each.name for each in outbox.waiting], [(out.name, out.fate) for out in gone]


A, B, C = (("a", 10, "samples", 0.5), ("b", 30, "samples", 0.1), ("c", 10, "samples", 0.9))


@pytest.mark.parametrize(
    ("overflow", "waiting", "gone"),
    [("drop_oldest", "bc", "a"), ("drop_newest", "ab", "c"), ("drop_least_informative", "ac", "b")],
)
def test_a_full_outbox_drops_one(overflow, waiting, gone):
    outbox = Outbox(Settings(messages=2, overflow=overflow))
    assert filled(outbox, message(*A), message(*B), message(*C)) == (list(waiting), [(gone, "dropped")])


def test_as_many_go_as_the_bytes_ask_for():
    outbox = Outbox(Settings(capacity_bytes=35))
    assert filled(outbox, message(*A), message("d"), message(*B)) == (
        ["b"],
        [("a", "dropped"), ("d", "dropped")],
    )
    assert filled(outbox, message("e", 36)) == ([], [("b", "dropped"), ("e", "dropped")])


def test_without_room_nothing_waits():
    assert filled(Outbox(Settings(messages=0)), message(*A)) == ([], [("a", "dropped")])


@pytest.mark.parametrize(
    ("superseded", "waiting", "gone"),
    [
        ("keep", ["1", "answer", "2"], []),
        ("drop", ["answer", "2"], [("1", "superseded")]),
        ("replace", ["2", "answer"], [("1", "superseded")]),
    ],
)
def test_a_newer_version_supersedes_one_that_waits(superseded, waiting, gone):
    outbox = Outbox(superseded=superseded)
    found = filled(
        outbox, message("1", kind="update"), message("answer", kind="answer"), message("2", kind="update")
    )
    assert found == (waiting, gone)


def test_turns_come_in_order_and_what_is_cleared_is_dropped():
    outbox = Outbox()
    filled(outbox, message("a"), message("b"), message("c"))
    assert outbox.take().name == "a"
    assert [(each.name, each.fate) for each in outbox.clear()] == [("b", "dropped"), ("c", "dropped")]
    assert outbox.take() is None
