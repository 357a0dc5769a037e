import gc
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
from models.rendering import Renderer, render

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


def submit(renderer, number=0, data=DATA, size=2):
    """Submit a batch of noisy images, each number another one."""
    indices = np.arange(number, number + size) % COUNT
    return renderer.submit(data, indices, [CONDITIONS[1]] * size, np.random.default_rng(number))


def expected(number=0, size=2):
    indices = np.arange(number, number + size) % COUNT
    return render(DATA, indices, [CONDITIONS[1]] * size, np.random.default_rng(number))[0]


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
        (np.array([i for i, _ in batch]), [condition for _, condition in batch]) for batch in batches
    ]
    order = data.draw(st.permutations(range(len(batches))))
    with Renderer(threads, bound) as renderer:
        handles = [
            renderer.submit(DATA, *each, np.random.default_rng(number))
            for number, each in enumerate(arguments)
        ]
        found = {number: handles[number].result() for number in order}
        assert renderer.waiting == 0
    for number, each in enumerate(arguments):
        images, present = render(DATA, *each, np.random.default_rng(number))
        np.testing.assert_array_equal(found[number][0], images)
        np.testing.assert_array_equal(found[number][1], present)


def test_what_waits_is_bounded(gate):
    rendered_by = []

    class Recording(Gate):
        def read(self, indices):
            rendered_by.append(current_thread() is main_thread())
            return super().read(indices)

    data = Recording(DATA.images, DATA.labels)
    with Renderer(threads=2, bound=5 * BYTES) as renderer:
        handles = [submit(renderer, number, data) for number in range(6)]
        assert renderer.waiting == 4 * BYTES
        gate.opened.set()
        for number in (5, 4, 3, 2):  # no room was left for these
            np.testing.assert_array_equal(handles[number].result()[0], expected(number))
        assert rendered_by.count(True) == 4
        assert renderer.waiting == 4 * BYTES
        handles[0].result()
        assert renderer.waiting == 2 * BYTES
        submit_again = submit(renderer, 6)
        assert renderer.waiting == 4 * BYTES
        submit_again.result()


def test_work_that_no_thread_has_begun_is_done_by_the_caller(gate):
    with Renderer(threads=1) as renderer:
        first = submit(renderer, 0, gate)
        second = submit(renderer, 1, gate)
        np.testing.assert_array_equal(second.result()[0], expected(1))  # the only thread still waits
        gate.opened.set()
        np.testing.assert_array_equal(first.result()[0], expected(0))


def test_a_result_can_be_asked_for_again():
    for bound in (0, 2**20):
        with Renderer(1, bound) as renderer:
            handle = submit(renderer)
            assert handle.result()[0] is handle.result()[0]
            assert renderer.waiting == 0


def test_what_is_dropped_gives_its_memory_back(gate):
    with Renderer(threads=1, bound=4 * BYTES) as renderer:
        begun, waiting = submit(renderer, 0, gate), submit(renderer, 1, gate)
        assert renderer.waiting == 4 * BYTES
        del waiting
        gc.collect()
        assert renderer.waiting == 2 * BYTES
        del begun
        gate.opened.set()
    assert renderer.waiting == 0


@pytest.mark.parametrize("bound", [0, 2**20])
def test_what_a_thread_raises_is_raised_to_whoever_asks(bound):
    with Renderer(1, bound) as renderer:
        handle = renderer.submit(stored(("fog", 1)), np.array([0]), [("snow", 1)], np.random.default_rng(0))
        for _ in range(2):
            with pytest.raises(InputError, match="c: has no snow, only: fog"):
                handle.result()
        assert renderer.waiting == 0


def test_closing_leaves_what_was_submitted(gate):
    gate.opened.set()
    with Renderer(threads=1) as renderer:
        handles = [submit(renderer, number, gate) for number in range(4)]
    for number, handle in enumerate(handles):
        np.testing.assert_array_equal(handle.result()[0], expected(number))


def test_arguments_may_change_after_submission(gate):
    indices, conditions = np.array([0, 1]), [CONDITIONS[1]] * 2
    with Renderer(threads=1) as renderer:
        handle = renderer.submit(gate, indices, conditions, np.random.default_rng(0))
        indices[:] = 9
        conditions[:] = [("none", 0)] * 2
        gate.opened.set()
        np.testing.assert_array_equal(handle.result()[0], expected(0))


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 3), (64, 8)])
def test_threads_leave_a_core_to_the_simulation(monkeypatch, cores, threads):
    monkeypatch.setattr(rendering.os, "sched_getaffinity", lambda _: range(cores), raising=False)
    assert rendering.default_threads() == threads
