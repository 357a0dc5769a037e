from __future__ import annotations

import math

import pytest

from analysis.units import bytes_text, joules_text, listed, percent_text, seconds_text, shift_name, shift_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.9, "1 kB"),
        (1_234, "1.23 kB"),
        (51_801_520, "51.8 MB"),
        (999_600, "1 MB"),
        (123_456, "123 kB"),
        (2.5e9, "2.5 GB"),
        (3e18, "3000 PB"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_bytes(size: float | None, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.0123, "12.3 ms"),
        (0.9999, "1 s"),
        (68.53, "68.5 s"),
        (600, "10 min"),
        (7_200, "2 h"),
        (864_000, "10 d"),
        (None, "-"),
    ],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


def test_percent() -> None:
    assert percent_text(0.6729) == "67.3 %"
    assert percent_text(0.5, digits=0) == "50 %"
    assert percent_text(None) == "-"


def test_shifts() -> None:
    assert shift_name("gaussian_noise", 5) == "gaussian_noise-5"
    assert shift_name("none", 0) == "none"
    assert shift_text("gaussian_noise", 5) == "gaussian noise 5"
    assert shift_text("none", 0) == "clean"


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (0.0, "0 J"),
        (0.0042, "4.2 mJ"),
        (0.9999, "1 J"),
        (68.53, "68.5 J"),
        (12_340.0, "12.3 kJ"),
        (5e9, "5000 MJ"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_energy(joules: float | None, text: str) -> None:
    assert joules_text(joules) == text


def test_the_first_of_many_are_named() -> None:
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed(["a", "b", "c"], 1, "more groups") == "a and 2 more groups"
