from __future__ import annotations

import os

import pytest

from sim.bench import fresh
from sim.bench.fresh import in_fresh_process, peak_bytes, resident_bytes


def fill(size: int) -> tuple[int, int, int]:
    """Hold so many bytes for a moment; return the peak before and while, and what stays."""
    before = peak_bytes()
    held = bytearray(os.urandom(1)) * size
    during = peak_bytes()
    del held
    return before, during, resident_bytes()


def test_a_process_of_its_own_begins_without_this_ones_memory():
    held = bytearray(b"x") * 200_000_000
    before, _, _ = in_fresh_process(fill, 1)
    assert peak_bytes() - before > 100_000_000
    assert len(held) == 200_000_000


def test_the_peak_stays_when_memory_is_given_back():
    before, during, after = in_fresh_process(fill, 300_000_000)
    assert during - before > 250_000_000
    assert during - after > 250_000_000


def test_what_the_function_raises_is_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        in_fresh_process(int, "x")


def test_where_the_system_tells_less_the_peak_serves(monkeypatch, tmp_path):
    told = peak_bytes()
    monkeypatch.setattr(fresh, "STATUS", tmp_path / "absent")
    assert peak_bytes() >= 0.9 * told
    assert resident_bytes() == peak_bytes()
