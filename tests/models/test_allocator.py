import ctypes
import sys

import pytest

from models import allocator
from models.allocator import BEFORE, KEPT, freed_memory_kept


class FakeLibrary:
    def __init__(self):
        self.calls = []

    def mallopt(self, parameter, value):
        self.calls.append((parameter, value))

    def malloc_trim(self, pad):
        self.calls.append("trim")


@pytest.fixture
def library(monkeypatch):
    library = FakeLibrary()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    return library


def test_for_a_while_freed_memory_is_kept(library):
    with freed_memory_kept():
        assert dict(library.calls) == KEPT
        library.calls.clear()
    assert library.calls == [*BEFORE.items(), "trim"]


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
