import threading

import pytest
import torch

from models.background import Background


@pytest.fixture
def background():
    background = Background(2)
    yield background
    background.close()


def test_work_is_done_in_order_in_one_thread_of_its_own(background):
    done = []
    results = [background.submit(lambda n=n: done.append((n, threading.get_ident()))) for n in range(5)]
    results[-1]()
    assert [number for number, _ in done] == list(range(5))
    assert len({thread for _, thread in done} | {threading.get_ident()}) == 2


def test_its_operations_have_their_own_number_of_threads(background):
    before = torch.get_num_threads()
    assert background.submit(torch.get_num_threads)() == 2
    assert torch.get_num_threads() == before


def test_what_follows_a_failure_is_not_done(background):
    done = []
    failing = background.submit(lambda: 1 / 0)
    following = background.submit(lambda: done.append(1))
    for result in (following, failing):  # whoever asks first is told what went wrong
        with pytest.raises(ZeroDivisionError):
            result()
    assert done == []


def test_to_close_is_to_leave_undone_what_has_not_begun(background):
    begun, go, done = threading.Event(), threading.Event(), []

    def wait():
        begun.set()
        go.wait()
        done.append("first")

    background.submit(wait)
    background.submit(lambda: done.append("second"))
    begun.wait()
    threading.Timer(0.05, go.set).start()
    background.close()
    assert done == ["first"]


def test_to_finish_is_to_wait_for_all(background):
    done = []
    background.submit(lambda: 1 / 0)
    background.submit(lambda: done.append(1))
    background.finish()
    assert done == []
    other = Background(1)
    other.submit(lambda: done.append(2))
    other.finish()
    assert done == [2]
    other.close()
