from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("overflow", "waiting", "gone"),
    [("drop_oldest", "bc", "a"), ("drop_newest", "ab", "c"), ("drop_least_informative", "ac", "b")],
)
def test_an_outbox_without_room_for_its_bytes_drops_one(overflow, waiting, gone):
    """Of 10, 20 and 10 bytes any two fit, but not all."""
    outbox = Outbox(Settings(capacity_bytes=35, overflow=overflow))
    messages = (
        message("a", 10, information=0.5),
        message("b", 20, information=0.1),
        message("c", 10, information=0.9),
    )
    assert filled(outbox, *messages) == (list(waiting), [(gone, "dropped")])


def test_of_equally_informative_messages_the_oldest_goes():
    outbox = Outbox(Settings(messages=2, overflow="drop_least_informative"))
    assert filled(outbox, message(*C), message("d"), message("e")) == (["c", "e"], [("d", "dropped")])


def test_an_outbox_can_be_bounded_both_ways():
    """The third message is one too many; then there is room for another one, but not for all of its bytes."""
    outbox = Outbox(Settings(messages=2, capacity_bytes=30))
    assert filled(outbox, message("a"), message("b"), message("c")) == (["b", "c"], [("a", "dropped")])
    assert outbox.take().name == "b"
    assert filled(outbox, message("d", 25)) == (["d"], [("c", "dropped")])


def test_an_outbox_without_bounds_keeps_everything():
    assert filled(Outbox(Settings()), message("a", 10**12), message("b"))[1] == []
    assert filled(Outbox(), message("a", 10**12), message("b"))[1] == []


def test_as_many_go_as_the_bytes_ask_for():
    outbox = Outbox(Settings(capacity_bytes=35))
    assert filled(outbox, message(*A), message("d"), message(*B)) == (
        ["b"],
        [("a", "dropped"), ("d", "dropped")],
    )
    assert filled(outbox, message("e", 36)) == ([], [("b", "dropped"), ("e", "dropped")])


def test_without_room_no_samples_wait():
    assert filled(Outbox(Settings(messages=0)), message(*A)) == ([], [("a", "dropped")])


OVERFLOWS = ["drop_oldest", "drop_newest", "drop_least_informative"]


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("bound", [{"messages": 1}, {"capacity_bytes": 15}])
def test_what_is_no_samples_needs_no_room_and_is_never_dropped(bound, overflow):
    """Of two messages of samples one goes; before, behind and between them others wait."""
    others = [message(name, 1000, name) for name in ("join", "statistics", "again", "more")]
    outbox = Outbox(Settings(**bound, overflow=overflow))
    first, second = message("a", information=0.1), message("b", information=0.2)
    waiting, gone = filled(outbox, others[0], first, others[1], others[2], second, others[3])
    kept, dropped = ("a", "b") if overflow == "drop_newest" else ("b", "a")
    assert gone == [(dropped, "dropped")]
    assert [name for name in waiting if name != kept] == ["join", "statistics", "again", "more"]


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_without_room_what_is_no_samples_waits(overflow):
    outbox = Outbox(Settings(messages=0, capacity_bytes=0, overflow=overflow))
    assert filled(outbox, message("join", kind="join"), message(*A)) == (["join"], [("a", "dropped")])


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


def test_what_replaces_a_version_has_its_turn():
    outbox = Outbox(superseded="replace")
    filled(outbox, message("answer", kind="answer"), message("1", kind="update"), message("b", kind="answer"))
    assert filled(outbox, message("2", kind="update"), message("3", kind="update")) == (
        ["answer", "3", "b"],
        [("1", "superseded"), ("2", "superseded")],
    )


@pytest.mark.parametrize("superseded", ["drop", "replace"])
def test_a_version_whose_turn_has_come_is_superseded_no_more(superseded):
    outbox = Outbox(superseded=superseded)
    filled(outbox, message("1", kind="update"))
    assert outbox.take().fate is None
    assert filled(outbox, message("2", kind="update")) == (["2"], [])


def test_nothing_but_versions_supersedes_and_is_superseded():
    others = [message(kind, kind=kind) for kind in ("samples", "statistics", "join", "answer", "answer")]
    assert filled(Outbox(superseded="drop"), *others, message("1", kind="update"))[1] == []


KINDS = st.sampled_from(["samples", "samples", "samples", "statistics", "join"])
MESSAGES = st.lists(
    st.tuples(st.integers(0, 50), KINDS, st.sampled_from([0.0, 0.5, 1.0])) | st.none(),
    min_size=1,
    max_size=20,
)
BOUNDS = st.just(Settings()) | st.builds(
    lambda bounds, overflow: Settings(messages=bounds[0], capacity_bytes=bounds[1], overflow=overflow),
    st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 100)).filter(
        lambda bounds: any(bound is not None for bound in bounds)
    ),
    st.sampled_from(OVERFLOWS),
)


@given(BOUNDS, MESSAGES)
def test_bounds_hold_and_every_message_either_waits_or_had_its_turn_or_is_dropped(bounds, steps):
    """A step that is None is a turn."""
    outbox, given_in, taken, dropped = Outbox(bounds), [], [], []
    for number, step in enumerate(steps):
        if step is None:
            taken += [transfer for transfer in [outbox.take()] if transfer is not None]
            continue
        given_in.append(message(number, *step))
        held = [*outbox.waiting, given_in[-1]]
        out = outbox.put(given_in[-1])
        dropped += out
        assert outbox.waiting == [each for each in held if each not in out]
        samples = [each.wire_bytes for each in outbox.waiting if each.content.kind == "samples"]
        assert bounds.messages is None or len(samples) <= bounds.messages
        assert bounds.capacity_bytes is None or sum(samples) <= bounds.capacity_bytes
    assert {each.name for each in given_in} == {each.name for each in (*outbox.waiting, *taken, *dropped)}
    assert [each.name for each in taken] == sorted(each.name for each in taken)
    assert {(each.fate, each.content.kind) for each in dropped} <= {("dropped", "samples")}
    assert {each.fate for each in (*taken, *outbox.waiting)} <= {None}


def test_turns_come_in_order_and_what_is_cleared_is_dropped():
    outbox = Outbox()
    filled(outbox, message("a"), message("b"), message("c"))
    assert outbox.take().name == "a"
    assert [(each.name, each.fate) for each in outbox.clear()] == [("b", "dropped"), ("c", "dropped")]
    assert outbox.take() is None
