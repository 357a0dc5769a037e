from itertools import islice

import pytest

HOUR = 3600 * 10**9


def test_a_raised_cosine_at_the_middle_of_each_step(bandwidth, no_draws):
    day = bandwidth(model="diurnal", trough_mbps=2.0, peak_mbps=10.0, peak_at_h=4.0, step_s=7200.0)
    values = [  # at 1 h, 3 h, 5 h, ...: 6 + 4 cos(15 degrees for each hour from 4 h)
        8_828_427,  # 45 degrees
        9_863_703,  # 15 degrees
        9_863_703,
        8_828_427,
        7_035_276,  # 75 degrees
        4_964_724,  # 105 degrees
        3_171_573,  # 135 degrees
        2_136_297,  # 165 degrees
        2_136_297,
        3_171_573,
        4_964_724,
        7_035_276,
    ]
    expected = [(2 * HOUR * step, value) for step, value in enumerate(values * 2)]
    assert list(islice(day.pieces(no_draws), 24)) == expected


def test_a_run_can_begin_at_any_hour(bandwidth, no_draws):
    settings = {"trough_mbps": 2.0, "peak_mbps": 10.0, "step_s": 7200.0}
    whole = islice(bandwidth(model="diurnal", **settings).pieces(no_draws), 5, 8)
    evening = islice(bandwidth(model="diurnal", start_at_h=10.0, **settings).pieces(no_draws), 3)
    assert [rate for _, rate in whole] == [rate for _, rate in evening]


def test_a_day_can_be_short(bandwidth, no_draws):
    settings = {"trough_mbps": 2.0, "peak_mbps": 10.0}
    long = islice(bandwidth(model="diurnal", step_s=3600.0, **settings).pieces(no_draws), 48)
    short = islice(bandwidth(model="diurnal", step_s=0.5, day_s=12.0, **settings).pieces(no_draws), 48)
    assert [(start // 7200, rate) for start, rate in long] == list(short)


def test_a_flat_day_is_one_piece(bandwidth, no_draws):
    flat = bandwidth(model="diurnal", trough_mbps=3.0, peak_mbps=3.0)
    assert list(flat.pieces(no_draws)) == [(0, 3_000_000)]


def test_even_the_lowest_peak_passes_a_bit(bandwidth, no_draws):
    day = bandwidth(model="diurnal", trough_mbps=0.0, peak_mbps=1e-6, day_s=8.0, step_s=1.0)
    assert max(rate for _, rate in islice(day.pieces(no_draws), 8)) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trough_mbps": 5.0, "peak_mbps": 4.0}, "must be at least trough_mbps, 5"),
        ({"trough_mbps": 0.0, "peak_mbps": 0.0}, "peak_mbps\n  Input should be greater than or equal"),
        ({"trough_mbps": 1.0, "peak_mbps": 4.0, "day_s": 80.0, "step_s": 11.0}, "an eighth of day_s, 10"),
    ],
)
def test_mistakes(bandwidth, given, message):
    with pytest.raises(ValueError, match=message):
        bandwidth(model="diurnal", **given)
