from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay import ReplayBuffer


def numbered(start, count):
    """Images whose pixels tell their number."""
    numbers = np.arange(start, start + count)
    return np.stack([numbers // 256, numbers % 256], -1).astype(np.uint8).reshape(count, 1, 2, 1)


def contents(buffer):
    drawn = buffer.sample(len(buffer), np.random.default_rng(0)).reshape(-1, 2).astype(int)
    return sorted((drawn @ (256, 1)).tolist())


@settings(max_examples=60, deadline=None)
@given(capacity=st.integers(1, 700), uploads=st.lists(st.integers(0, 300), max_size=8))
def test_it_holds_the_newest_images(capacity, uploads):
    buffer, expected, start = ReplayBuffer(capacity), deque(maxlen=capacity), 0
    for count in uploads:
        buffer.add(numbered(start, count))
        expected.extend(range(start, start + count))
        start += count
        assert len(buffer) == len(expected)
    if expected:
        assert contents(buffer) == list(expected)


def test_samples_are_drawn_without_replacement_from_all_that_is_stored():
    buffer = ReplayBuffer(10)
    buffer.add(numbered(0, 10))
    generator = np.random.default_rng(1)
    drawn = [buffer.sample(4, generator)[:, 0, 1, 0].tolist() for _ in range(200)]
    assert all(len(set(numbers)) == 4 for numbers in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=10)
    assert counts.min() > 50  # 80 expected


def test_images_drawn_are_copies():
    buffer = ReplayBuffer(1)
    buffer.add(numbered(5, 1))
    buffer.sample(1, np.random.default_rng(0))[...] = 0
    assert contents(buffer) == [5]


def test_images_stored_are_copies():
    buffer, images = ReplayBuffer(3), numbered(5, 1)
    buffer.add(images)
    images[...] = 0
    assert contents(buffer) == [5]


def test_too_few():
    buffer = ReplayBuffer(5)
    with pytest.raises(ValueError, match="1 samples asked of a replay buffer that holds 0"):
        buffer.sample(1, np.random.default_rng(0))
    buffer.add(numbered(0, 2))
    with pytest.raises(ValueError, match="3 samples asked of a replay buffer that holds 2"):
        buffer.sample(3, np.random.default_rng(0))


def test_no_capacity_holds_nothing():
    buffer = ReplayBuffer(0)
    buffer.add(numbered(0, 3))
    assert len(buffer) == 0


def test_a_large_capacity_takes_no_room_before_it_is_used():
    buffer = ReplayBuffer(10**9)
    buffer.add(numbered(0, 300))
    assert contents(buffer) == list(range(300))


@given(capacity=st.integers(1, 300), uploads=st.lists(st.integers(0, 300), max_size=6))
def test_it_knows_when_each_image_arrived(capacity, uploads):
    buffer, expected = ReplayBuffer(capacity), deque(maxlen=capacity)
    for arrival, count in enumerate(uploads):
        buffer.add(numbered(0, count), arrival)
        expected.extend([arrival] * count)
    assert sorted(buffer.arrivals.tolist()) == list(expected)
