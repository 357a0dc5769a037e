import math
from collections import Counter

import numpy as np
import pytest


def test_each_value_is_as_likely_as_every_other(latency):
    settings = latency(distribution="empirical", values_ms=[10.0, 30.0, 10.0, 20.0])
    draw = settings.sampler(np.random.default_rng(1))
    counts = Counter(draw() for _ in range(8000))
    assert set(counts) == {0.01, 0.02, 0.03}
    for value, share in ((0.01, 0.5), (0.02, 0.25), (0.03, 0.25)):
        assert abs(counts[value] / 8000 - share) < 4 * math.sqrt(share * (1 - share) / 8000)
    assert settings.least_ms == 10.0


def test_from_a_file(latency, tmp_path):
    (tmp_path / "measured.csv").write_text("latency_ms\r\n12.5\r\n7\r\n")
    settings = latency(distribution="empirical", file="measured.csv")
    draw = settings.sampler(np.random.default_rng(1))
    assert {draw() for _ in range(50)} == {0.0125, 0.007}
    assert settings.least_ms == 7.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("12\n7\n", "measured.csv:1: '12' must be the header latency_ms"),
        ("latency_ms\n12\n7 ms\n", "measured.csv:3: latency_ms '7 ms' must be a finite number of at least 0"),
        ("latency_ms\n", "measured.csv: holds a header alone"),
    ],
)
def test_mistakes_in_the_file(latency, tmp_path, content, message):
    (tmp_path / "measured.csv").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        latency(distribution="empirical", file="measured.csv")
    (error,) = caught.value.errors()
    assert error["loc"] == ("empirical", "file")


@pytest.mark.parametrize("given", [{}, {"file": "latency-lte.csv", "values_ms": [1.0]}])
def test_the_latencies_come_from_one_place(latency, given):
    with pytest.raises(ValueError, match="give either a file or values_ms"):
        latency(distribution="empirical", **given)


@pytest.mark.parametrize("values_ms", [[], [-1.0], [float("nan")]])
def test_values_that_are_no_latencies(latency, values_ms):
    with pytest.raises(ValueError, match="values_ms"):
        latency(distribution="empirical", values_ms=values_ms)
