from __future__ import annotations

import pytest

from sim.bench.result import Figure


def test_the_value_is_the_median_of_the_rounds():
    assert Figure.of("speed", [5.0, 1.0, 2.0]).value == 2
    assert Figure.of("speed", [5.0, 1.0, 2.0, 4.0]).value == 3


def test_the_rounds_stay_in_order():
    assert Figure.of("speed", [5.0, 1.0, 2.0]).rounds == (5, 1, 2)


@pytest.mark.parametrize(
    ("better", "target", "met"),
    [
        ("higher", 1.9, True),
        ("higher", 2.0, True),
        ("higher", 2.1, False),
        ("lower", 1.9, False),
        ("lower", 2.0, True),
        ("lower", 2.1, True),
        ("lower", None, None),
    ],
)
def test_a_target_is_met_from_its_good_side(better, target, met):
    assert Figure.of("cost", [2.0], target=target, better=better).met is met


def test_a_figure_without_rounds_is_none():
    with pytest.raises(ValueError, match="speed"):
        Figure.of("speed", [])
