from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.streams import RandomStreams, spawn

NAMES = st.text(min_size=1, max_size=20)


def draw(seed: int, name: str, *indices: int) -> tuple[int, ...]:
    return tuple(RandomStreams(seed).generator(name, *indices).integers(2**63, size=3))


@given(st.integers(0, 2**64), NAMES)
def test_a_stream_begins_anew_each_time(seed, name):
    streams = RandomStreams(seed)
    streams.generator(name).random(5)
    assert tuple(streams.generator(name).integers(2**63, size=3)) == draw(seed, name)


@given(st.integers(0, 2**64), NAMES, NAMES)
def test_other_streams_change_nothing(seed, name, other):
    streams = RandomStreams(seed)
    streams.generator(other).random(5)
    assert tuple(streams.generator(name).integers(2**63, size=3)) == draw(seed, name)


@given(st.integers(0, 2**64), st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_names_have_streams_of_their_own(seed, names):
    assert len({draw(seed, name) for name in names}) == len(names)


@given(st.lists(st.integers(0, 2**64), min_size=2, max_size=6, unique=True), NAMES)
def test_seeds_have_streams_of_their_own(seeds, name):
    assert len({draw(seed, name) for seed in seeds}) == len(seeds)


def test_places_in_a_sequence_have_streams_of_their_own():
    places = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    assert len({draw(0, "camera-0/order", *place) for place in places}) == len(places)


def test_streams_are_independent():
    first, second = (RandomStreams(0).generator(name).normal(size=4000) for name in ("a", "b"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(4000)


def test_a_stream_stays_the_same_from_release_to_release():
    golden = (1134032788653722591, 5561142876933879287, 5889282357115741078)
    assert draw(0, "camera-0/arrivals") == golden


def test_spawned_generators_draw_what_numpys_draw():
    ours, theirs = (RandomStreams(0).generator("camera-0/life") for _ in range(2))
    for mine, other in zip(spawn(ours, 3), theirs.spawn(3), strict=True):
        assert mine.integers(2**63, size=5).tolist() == other.integers(2**63, size=5).tolist()


def test_spawned_generators_can_be_copied_but_spawn_no_others():
    (generator,) = spawn(RandomStreams(0).generator("camera-0/life"), 1)
    generator.random()
    assert deepcopy(generator).random() == generator.random()
    with pytest.raises(TypeError, match="spawn"):
        generator.spawn(1)
