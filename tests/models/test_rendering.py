import gc
from functools import partial
from pathlib import Path
from threading import Event, current_thread, main_thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import corruptions, rendering
from models.datasets import Images
from models.datasets._stored import StoredConditions
from models.errors import InputError
from models.rendering import Order, Renderer, render

COUNT, SHAPE = 12, (8, 8, 3)
BYTES = 8 * 8 * 3
DATA = Images(
    np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8), np.zeros(COUNT, np.int64)
)
CONDITIONS = (("none", 0), ("gaussian_noise", 3), ("brightness", 5), ("impulse_noise", 1))


def stored(*there):
    """Images whose pixels tell their condition (its place among `there`, times 20) and index, files 7 unreadable."""

    class Files(Images):
        def read(self, indices):
            present = indices != 7
            return self.images[indices[present]], present

        def damaged(self, indices):
            return {f"{self.images[0, 0, 0, 0]}/7": "truncated"} if 7 in indices else {}

    def open_condition(condition):
        values = there.index(condition) * 20 + np.arange(COUNT, dtype=np.uint8)
        return Files(np.broadcast_to(values[:, None, None, None], (COUNT, *SHAPE)).copy(), DATA.labels)

    return StoredConditions(Path("c"), DATA.labels, SHAPE, None, there, open_condition)


class Gate(Images):
    """Images that cannot be read by a rendering thread until the gate is open."""

    opened = Event()

    def read(self, indices):
        if current_thread() is not main_thread():
            assert self.opened.wait(10)
        return super().read(indices)


@pytest.fixture
def gate():
    data = Gate(DATA.images, DATA.labels)
    data.opened.clear()
    yield data
    data.opened.set()


def order(number=0, data=DATA, size=2):
    """Noisy images, each number other ones."""
    indices = np.arange(number, number + size) % COUNT
    return Order(data, indices, (CONDITIONS[1],) * size, partial(np.random.default_rng, number))


def renderer(threads=1, bound=2**20, small=0):
    return Renderer(threads, bound, small)


def submit(renderer, number=0, data=DATA, size=2):
    return renderer.submit(order(number, data, size))


def expected(number=0, size=2):
    return order(number, size=size).render()[0]


def test_images_of_one_condition_are_corrupted_together_in_order():
    indices = np.array([3, 1, 4, 1, 5])
    conditions = [CONDITIONS[i] for i in (1, 0, 3, 1, 3)]
    images, present = render(DATA, indices, conditions, np.random.default_rng(5))
    generator = np.random.default_rng(5)
    noisy = corruptions.corrupt(DATA.images[[3, 1]], "gaussian_noise", 3, generator)
    impulses = corruptions.corrupt(DATA.images[[4, 5]], "impulse_noise", 1, generator)
    np.testing.assert_array_equal(
        images, np.stack([noisy[0], DATA.images[1], impulses[0], noisy[1], impulses[1]])
    )
    assert present.all()


def test_stored_conditions_are_read_and_not_corrupted():
    data = stored(("fog", 1), ("snow", 2))
    conditions = [("snow", 2), ("fog", 1), ("snow", 2), ("fog", 1)]
    images, present = render(data, np.array([7, 3, 5, 3]), conditions, np.random.default_rng(0))
    assert present.tolist() == [False, True, True, True]
    assert images[:, 0, 0, 0].tolist() == [3, 25, 3]
    assert images.shape == (3, *SHAPE)


def test_stored_conditions_need_one_for_each_image():
    with pytest.raises(ValueError, match="1 conditions for 2 images"):
        render(stored(("fog", 1)), np.array([0, 1]), [("fog", 1)], np.random.default_rng(0))


def test_what_a_schedule_asks_for_is_checked():
    data = stored(("fog", 1), ("snow", 2))
    assert rendering.check(data, [("fog", 1), ("snow", 2)]) == []
    assert rendering.check(data, [("fog", 2), ("snow", 2), ("fog", 2), ("frost", 1)]) == [
        "c: has no fog of severity 2, only of: 1",
        "c: has no frost, only: fog, snow",
    ]
    assert rendering.check(DATA, [("fog", 2)]) == []


def test_damaged_files_by_condition():
    data = stored(("fog", 1), ("snow", 2))
    indices, conditions = np.array([7, 7, 3]), [("fog", 1), ("snow", 2), ("fog", 1)]
    assert rendering.damaged(data, indices, conditions) == {"0/7": "truncated", "20/7": "truncated"}
    assert rendering.damaged(data, indices[1:], conditions[1:]) == {"20/7": "truncated"}
    assert rendering.damaged(DATA, indices, conditions) == {}


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, COUNT - 1), st.sampled_from(CONDITIONS)), min_size=1, max_size=4),
        max_size=5,
    ),
    threads=st.integers(1, 3),
    bound=st.sampled_from([0, 3 * BYTES, 2**20]),
    data=st.data(),
)
def test_results_depend_on_nothing_but_the_submission(batches, threads, bound, data):
    arguments = [
        (np.array([i for i, _ in batch]), tuple(condition for _, condition in batch)) for batch in batches
    ]
    order = data.draw(st.permutations(range(len(batches))))
    with Renderer(threads, bound, small=0) as renderer:
        handles = [
            renderer.submit(Order(DATA, *each, partial(np.random.default_rng, number)))
            for number, each in enumerate(arguments)
        ]
        found = {number: handles[number].result() for number in order}
        assert renderer.waiting == 0
    for number, each in enumerate(arguments):
        images, present = render(DATA, *each, np.random.default_rng(number))
        np.testing.assert_array_equal(found[number][0], images)
        np.testing.assert_array_equal(found[number][1], present)


class Recording(Gate):
    """Tells who read."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        object.__setattr__(self, "by_caller", [])

    def read(self, indices):
        self.by_caller.append(current_thread() is main_thread())
        return super().read(indices)


@pytest.fixture
def recording(gate):
    return Recording(DATA.images, DATA.labels)


def test_what_waits_is_bounded(recording):
    with renderer(threads=2, bound=5 * BYTES) as ahead:
        handles = [submit(ahead, number, recording) for number in range(6)]
        assert ahead.waiting == 4 * BYTES
        for number in (5, 4, 3, 2):  # no room was left for these
            np.testing.assert_array_equal(handles[number].result()[0], expected(number))
        assert recording.by_caller.count(True) == 4
        assert ahead.waiting == 4 * BYTES
        recording.opened.set()
        handles[0].result()
        assert ahead.waiting == 2 * BYTES
        submit_again = submit(ahead, 6)
        assert ahead.waiting == 4 * BYTES
        submit_again.result()


def test_what_was_refused_is_begun_when_there_is_room_oldest_first(recording):
    with renderer(threads=1, bound=4 * BYTES) as ahead:
        handles = [submit(ahead, number, recording) for number in range(5)]
        recording.opened.set()
        handles[3].result()  # asked for while it was refused: done by the caller
        assert ahead.waiting == 4 * BYTES
        handles[0].result()  # leaves room for number 2
        handles[1].result()  # and for number 4, since number 3 is done
        assert ahead.waiting == 4 * BYTES
        for number in (2, 4):
            np.testing.assert_array_equal(handles[number].result()[0], expected(number))
        assert ahead.waiting == 0


def test_what_was_refused_and_dropped_is_never_rendered(recording):
    with renderer(threads=1, bound=2 * BYTES) as ahead:
        first, refused, last = (submit(ahead, number, recording) for number in range(3))
        del refused
        gc.collect()
        recording.opened.set()
        first.result()
        assert ahead.waiting == 2 * BYTES  # the last has the room
        last.result()
    assert len(recording.by_caller) == 2


def test_an_order_larger_than_the_bound_holds_up_nothing(recording):
    with renderer(bound=2 * BYTES) as ahead:
        large, small = submit(ahead, 0, recording, size=3), submit(ahead, 3, recording)
        assert ahead.waiting == 2 * BYTES
        np.testing.assert_array_equal(large.result()[0], expected(0, 3))
        recording.opened.set()
        np.testing.assert_array_equal(small.result()[0], expected(3))


def test_what_costs_less_than_its_way_to_a_thread_is_left_to_the_caller(recording):
    clean = order(0, recording)
    clean = Order(recording, clean.indices, (CONDITIONS[0],) * 2, clean.generator)
    with renderer(small=2 * BYTES) as ahead:
        handles = [submit(ahead, 0, recording), ahead.submit(clean)]
        assert ahead.waiting == 0
        for handle in handles:
            handle.result()
        assert recording.by_caller == [True, True]
        stored_clean = Order(stored(("none", 0)), np.arange(4), (CONDITIONS[0],) * 4, clean.generator)
        reading = ahead.submit(stored_clean)  # files: read and decoded ahead
        assert ahead.waiting == 4 * BYTES
        assert reading.result()[0][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_work_that_no_thread_has_begun_is_done_by_the_caller(gate):
    with renderer() as ahead:
        first = submit(ahead, 0, gate)
        second = submit(ahead, 1, gate)
        np.testing.assert_array_equal(second.result()[0], expected(1))  # the only thread still waits
        gate.opened.set()
        np.testing.assert_array_equal(first.result()[0], expected(0))


def test_a_result_can_be_asked_for_again():
    for bound in (0, 2**20):
        with renderer(1, bound) as ahead:
            handle = submit(ahead)
            assert handle.result()[0] is handle.result()[0]
            assert ahead.waiting == 0


def test_what_is_dropped_gives_its_memory_back(gate):
    with renderer(bound=4 * BYTES) as ahead:
        begun, waiting = submit(ahead, 0, gate), submit(ahead, 1, gate)
        assert ahead.waiting == 4 * BYTES
        del waiting
        gc.collect()
        assert ahead.waiting == 2 * BYTES
        del begun
        gate.opened.set()
    assert ahead.waiting == 0


@pytest.mark.parametrize("bound", [0, 2**20])
def test_what_a_thread_raises_is_raised_to_whoever_asks(bound):
    with renderer(1, bound) as ahead:
        handle = ahead.submit(Order(stored(("fog", 1)), np.array([0]), (("snow", 1),), np.random.default_rng))
        for _ in range(2):
            with pytest.raises(InputError, match="c: has no snow, only: fog"):
                handle.result()
        assert ahead.waiting == 0


def test_closing_leaves_what_was_submitted(gate):
    gate.opened.set()
    with renderer() as ahead:
        handles = [submit(ahead, number, gate) for number in range(4)]
    for number, handle in enumerate(handles):
        np.testing.assert_array_equal(handle.result()[0], expected(number))


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 3), (64, 8)])
def test_threads_leave_a_core_to_the_simulation(monkeypatch, cores, threads):
    monkeypatch.setattr(rendering.os, "sched_getaffinity", lambda _: range(cores), raising=False)
    assert rendering.default_threads() == threads
