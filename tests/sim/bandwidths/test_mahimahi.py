from itertools import islice

import pytest

from sim.timeline import Timeline

MS = 1_000_000
PACKET = 12_000
"""Bits of an opportunity."""


def pieces(bandwidth, written, no_draws, content, count):
    return list(islice(bandwidth(model="mahimahi", file=written(content)).pieces(no_draws), count))


def test_an_opportunity_is_spread_over_the_millisecond_before_it(bandwidth, written, no_draws):
    assert pieces(bandwidth, written, no_draws, "2\n2\n3\n5\n", 8) == [
        (0, 0),
        (1 * MS, 24_000_000),
        (2 * MS, 12_000_000),
        (3 * MS, 0),
        (4 * MS, 12_000_000),
        (5 * MS, 0),  # again from the last line's time on
        (6 * MS, 24_000_000),
        (7 * MS, 12_000_000),
    ]


def test_one_packet_a_millisecond_is_constant(bandwidth, written, no_draws):
    assert pieces(bandwidth, written, no_draws, "1\n", 3) == [(0, 12_000_000)]
    assert pieces(bandwidth, written, no_draws, "1\n2\n3\n", 3) == [(0, 12_000_000)]


def test_an_opportunity_at_zero_is_one_at_the_end_of_the_period(bandwidth, written, no_draws):
    assert pieces(bandwidth, written, no_draws, "0\n0\n2\n", 3) == [(0, 0), (1 * MS, 36_000_000), (2 * MS, 0)]


def test_by_each_millisecond_as_much_has_passed_as_there_were_opportunities(bandwidth, written, no_draws):
    times, period = [1, 1, 4, 5, 5, 9], 9
    settings = bandwidth(model="mahimahi", file=written("".join(f"{time}\n" for time in times)))
    timeline = Timeline(settings.pieces(no_draws))
    opportunities = [time + again * period for again in range(4) for time in times]
    for time in range(4 * period + 1):
        passed = sum(each <= time for each in opportunities)
        assert timeline.work_until(time * MS) == passed * PACKET * 10**9


def test_blank_lines_at_the_end_say_nothing(bandwidth, written):
    plain, ending = (bandwidth(model="mahimahi", file=written(text)) for text in ("1\n2\n", "1\n2\n\n \n"))
    assert plain._recorded == ending._recorded


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "trace: the last time must be above 0, and there is none"),
        ("0\n0\n", "trace: the last time must be above 0, not 0"),
        ("1\n2.5\n", r"trace:2: '2.5' must be a whole number of milliseconds"),
        ("1\n\n2\n", r"trace:2: '' must be a whole number of milliseconds"),
        ("-1\n", r"trace:1: '-1' must be a whole number of milliseconds"),
        ("1\n" + 99 * "9", r"trace:2: '9{60}' must be a whole number of milliseconds"),
        ("5\n7\n6\n", "trace:3: 6 must be at least 7, the time before it"),
    ],
)
def test_mistakes_in_the_file(bandwidth, written, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        bandwidth(model="mahimahi", file=written(content))
    (error,) = caught.value.errors()
    assert error["loc"] == ("mahimahi", "file")
