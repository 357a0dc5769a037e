from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ranks import Prediction
from scenarios.budgets import Budget as BudgetSettings
from sim.messages import pack
from sim.selection import Candidate, Pool, payload_bytes


def candidate(batch, entropy, size=10, quality=None):
    probabilities = np.array([0.5, 0.5], np.float32)
    return Candidate(batch, bytes(size), None, quality, Prediction(entropy, probabilities, batch))


def pool(*candidates, **settings):
    made = Pool(BudgetSettings.model_validate({"allowance_bytes": 1000, **settings}))
    made.candidates += candidates
    return made


def with_headers(payload):
    return payload + 20


def entropies(candidates):
    return [candidate.prediction.entropy for candidate in candidates]


def test_the_best_go_and_keep_their_order():
    held = pool(*(candidate(0, entropy) for entropy in (0.1, 0.4, 0.2, 0.3)), rank="entropy")
    assert entropies(held.ranked()) == [0.4, 0.3, 0.2, 0.1]
    (message,) = held.choose(20 + 14 + 14, with_headers)
    assert entropies(message) == [0.4, 0.3]
    assert entropies(held.candidates) == [0.1, 0.2]


def test_of_equals_the_first_goes():
    first, second = candidate(0, 0.5), candidate(1, 0.5)
    assert pool(first, second, rank="entropy").ranked() == [first, second]


def test_each_batch_has_a_message_and_headers_of_its_own():
    held = pool(candidate(0, 0.1), candidate(0, 0.2), candidate(3, 0.3))
    room = (20 + 2 * 14) + (20 + 14)
    assert [entropies(message) for message in held.choose(room, with_headers)] == [[0.1, 0.2], [0.3]]
    held = pool(candidate(0, 0.1), candidate(0, 0.2), candidate(3, 0.3))
    assert [entropies(message) for message in held.choose(room - 1, with_headers)] == [[0.1, 0.2]]


@pytest.mark.parametrize(("excess", "going"), [("drop", [0.9, 0.7]), ("wait", [0.9]), ("replace", [0.9])])
def test_nothing_overtakes_what_waits(excess, going):
    held = pool(candidate(0, 0.9), candidate(0, 0.8, size=100), candidate(0, 0.7), excess=excess)
    (message,) = held.choose(60, with_headers)
    assert entropies(message) == going


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"excess": "drop"}, []),
        ({"excess": "wait"}, [0.1, 0.3]),
        ({"excess": "wait", "overflow": "drop_newest"}, [0.4, 0.2]),
        ({"excess": "replace", "rank": "entropy"}, [0.4, 0.3]),
        ({"excess": "replace", "rank": "arrival"}, [0.4, 0.2]),
        ({"excess": "replace", "rank": "age"}, [0.1, 0.3]),
    ],
)
def test_what_a_full_device_loses(settings, left):
    held = pool(*(candidate(n, entropy) for n, entropy in enumerate((0.4, 0.2, 0.1, 0.3))))
    limit = {} if settings["excess"] == "drop" else {"waiting_samples": 2}
    held = pool(*held.candidates, **limit, **settings)
    assert held.trim() == 4 - len(left)
    assert entropies(held.candidates) == left
    assert held.trim() == 0


CANDIDATES = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 2), st.integers(0, 50)), max_size=20).map(
    lambda found: [candidate(*each) for each in sorted(found)]
)


@given(
    CANDIDATES,
    st.integers(0, 400),
    st.sampled_from(["arrival", "entropy", "redundancy", "age"]),
    st.sampled_from(["drop", "wait", "replace"]),
    st.integers(1, 6),
)
def test_what_is_chosen_fits_and_nothing_gets_lost(candidates, room, rank, excess, most):
    limit = {} if excess == "drop" else {"waiting_samples": most}
    held = pool(*candidates, rank=rank, excess=excess, **limit)
    best = held.ranked()
    messages = held.choose(room, with_headers)
    chosen = [each for message in messages for each in message]
    assert (
        sum(with_headers(payload_bytes([c.content for c in message], None)) for message in messages) <= room
    )
    assert [len({each.batch for each in message}) for message in messages] == [1] * len(messages)
    assert chosen == [each for each in candidates if each in chosen]
    assert held.candidates == [each for each in candidates if each not in chosen]
    if excess != "drop":
        assert set(chosen) == set(best[: len(chosen)])
    left = len(held)
    lost = held.trim()
    assert len(held) == left - lost == (0 if excess == "drop" else min(left, most))


@given(st.lists(st.binary(max_size=9), max_size=5), st.none() | st.integers(0, 255))
def test_the_size_of_a_payload(contents, quality):
    assert payload_bytes(contents, quality) == len(pack(contents, quality))
