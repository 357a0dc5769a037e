import pytest

from sim.mathis import rate_limit


@pytest.mark.parametrize(
    ("segment_bytes", "header_bytes", "round_trip_s", "loss", "bits_per_second"),
    [
        (1250, 0, 0.1, 0.015, 1_000_000),  # 10 000 bits in 0.1 s, times the root of 1.5 / 0.015 = 100
        (1250, 0, 0.2, 0.015, 500_000),
        (2500, 0, 0.1, 0.015, 2_000_000),
        (1250, 0, 0.1, 0.06, 500_000),
        (1460, 0, 0.1, 0.01, 1_430_502),  # 116 800 bits/s times 12.247449
        (1210, 40, 0.1, 0.015, 1_000_000),  # the window lets go so many packets, whatever is in them
        (1, 0, 1e9, 0.5, 1),  # never nothing at all
    ],
)
def test_the_limit(segment_bytes, header_bytes, round_trip_s, loss, bits_per_second):
    assert rate_limit(segment_bytes, header_bytes, round_trip_s, loss) == bits_per_second


@pytest.mark.parametrize(("round_trip_s", "loss"), [(0.1, 0.0), (0.0, 0.1), (0.0, 0.0)])
def test_no_limit_without_losses_or_round_trip(round_trip_s, loss):
    assert rate_limit(1460, 40, round_trip_s, loss) is None
