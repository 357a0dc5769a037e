import ctypes
import sys

import pytest

from models import allocator
from models.allocator import BEFORE, KEPT_BELOW, MMAP_THRESHOLD, TRIM_THRESHOLD, freed_memory_kept


class FakeLibrary:
    """Accepts thresholds up to `most` from which blocks are mapped."""

    def __init__(self):
        self.calls = []
        self.most = 2**31

    def mallopt(self, parameter, value):
        accepted = parameter != MMAP_THRESHOLD or value <= self.most
        if accepted:
            self.calls.append((parameter, value))
        return int(accepted)

    def malloc_trim(self, pad):
        self.calls.append("trim")


@pytest.fixture
def library(monkeypatch):
    library = FakeLibrary()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    return library


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (2**31, [(MMAP_THRESHOLD, 2**30), (TRIM_THRESHOLD, KEPT_BELOW)]),
        (2**25, [(MMAP_THRESHOLD, 2**25), (TRIM_THRESHOLD, KEPT_BELOW)]),
        (2**20, []),
    ],
)
def test_for_a_while_freed_memory_is_kept(library, most, expected):
    library.most = most
    with freed_memory_kept():
        assert library.calls == expected
    assert library.calls[-1] == "trim"
    assert (TRIM_THRESHOLD, BEFORE[TRIM_THRESHOLD]) in library.calls


def test_afterwards_it_is_given_back_whatever_happened(library):
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        raise ZeroDivisionError
    assert library.calls[-1] == "trim"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_elsewhere_nothing_is_done(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    with freed_memory_kept():
        pass
