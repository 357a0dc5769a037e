import json
from dataclasses import replace

import pytest
import torch

from models import tuning
from models.placement import Placement

CPU = Placement(torch.device("cpu"))
SHAPE = (8, 8, 1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cema"


@pytest.fixture
def measured(monkeypatch):
    """How often it was measured; 16 images are found to be enough."""
    found = []

    def measure(*_):
        found.append(1)
        return {8: 2.0, 16: 1.05, 32: 1.0}

    monkeypatch.setattr(tuning, "measure", measure)
    return found


@pytest.mark.parametrize(
    ("times", "size"),
    [({4: 1.0}, 4), ({4: 4.0, 8: 1.2, 16: 1.0, 32: 1.05}, 16), ({4: 1.09, 8: 1.0, 16: 1.2}, 4)],
)
def test_the_smallest_pass_that_is_close_to_the_fastest(times, size):
    assert tuning.choose(times) == size


def test_it_is_measured_once(tiny, cache, measured):
    assert [tuning.images_per_pass(tiny(), SHAPE, CPU) for _ in range(2)] == [16, 16]
    assert len(measured) == 1
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["seconds_per_image"] == {"8": 2.0, "16": 1.05, "32": 1.0}


def test_another_number_of_threads_or_another_shape_is_measured_anew(tiny, cache, measured):
    tuning.images_per_pass(tiny(), SHAPE, CPU)
    tuning.images_per_pass(tiny(), (16, 16, 1), CPU)
    tuning.images_per_pass(tiny(), SHAPE, replace(CPU, pass_threads=99))
    assert len(measured) == len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("content", ["", "{}", '{"images_per_pass": "many"}', '{"images_per_pass": 0}'])
def test_what_cannot_be_read_is_measured_anew(tiny, cache, measured, content):
    tuning.images_per_pass(tiny(), SHAPE, CPU)
    (file,) = cache.iterdir()
    file.write_text(content)
    assert [tuning.images_per_pass(tiny(), SHAPE, CPU) for _ in range(2)] == [16, 16]
    assert len(measured) == 2


def test_without_links_the_file_is_written_all_the_same(tiny, cache, measured, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(tuning.os, "link", refused)
    assert [tuning.images_per_pass(tiny(), SHAPE, CPU) for _ in range(2)] == [16, 16]
    assert len(measured) == len(list(cache.iterdir())) == 1


def test_a_user_without_a_home(tiny, measured, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(tuning.Path, "home", homeless)
    assert [tuning.images_per_pass(tiny(), SHAPE, CPU) for _ in range(2)] == [16, 16]
    assert len(measured) == 2


def test_what_another_process_found_meanwhile_counts(tiny, cache, measured, monkeypatch):
    choose = tuning.choose

    source = tiny()

    def after_the_other(times):
        tuning._remember(cache / f"{tuning._key(source, SHAPE, CPU)}.json", {"images_per_pass": 64})
        return choose(times)

    monkeypatch.setattr(tuning, "choose", after_the_other)
    assert tuning.images_per_pass(source, SHAPE, CPU) == 64


def test_a_cache_that_cannot_be_written(tiny, cache, measured):
    cache.write_text("in the way")
    assert [tuning.images_per_pass(tiny(), SHAPE, CPU) for _ in range(2)] == [16, 16]
    assert len(measured) == 2


def test_measuring_goes_up_until_larger_passes_gain_nothing(tiny, monkeypatch):
    monkeypatch.setitem(tuning.SIZES, "cpu", (1, 2, 4, 8, 16))
    clock = iter(range(10**6))
    monkeypatch.setattr(tuning, "perf_counter", lambda: next(clock))  # every pass takes one second
    monkeypatch.setattr(tuning, "BUDGET_S", 10**6)
    assert tuning.measure(tiny(), SHAPE, CPU) == {1: 1.0, 2: 0.5, 4: 0.25, 8: 0.125, 16: 0.0625}
    monkeypatch.setattr(tuning, "BUDGET_S", 10)
    assert list(tuning.measure(tiny(), SHAPE, CPU)) == [1, 2]


def test_a_pass_that_does_not_fit_ends_the_search(tiny, monkeypatch):
    monkeypatch.setitem(tuning.SIZES, "cpu", (1, 2, 4))
    forward = tuning.Executor.forward

    def limited(self, model, source, images, *others):
        if len(images) == 4:
            raise torch.OutOfMemoryError
        return forward(self, model, source, images, *others)

    monkeypatch.setattr(tuning.Executor, "forward", limited)
    assert list(tuning.measure(tiny(), SHAPE, CPU)) == [1, 2]
