from itertools import islice

import pytest

RECORDED = "time_s,mbps\n0,1\n0.5,2.5\n\n 2 , 0 \n"
PIECES = [(0, 1_000_000), (500_000_000, 2_500_000), (2_000_000_000, 0)]


def test_each_line_holds_until_the_next(bandwidth, written, no_draws):
    assert list(bandwidth(model="csv", file=written(RECORDED)).pieces(no_draws)) == PIECES


def test_it_starts_again(bandwidth, written, no_draws):
    repeating = bandwidth(model="csv", file=written(RECORDED), repeat_every_s=3.0)
    assert list(islice(repeating.pieces(no_draws), 5)) == [
        *PIECES,
        (3_000_000_000, 1_000_000),
        (3_500_000_000, 2_500_000),
    ]


def test_equal_neighbours_are_one_piece(bandwidth, written, no_draws):
    file = written("time_s,mbps\n0,1\n1,1\n2,3\n3,3\n")
    assert list(bandwidth(model="csv", file=file).pieces(no_draws)) == [
        (0, 1_000_000),
        (2_000_000_000, 3_000_000),
    ]


def test_a_constant_that_repeats_is_one_piece(bandwidth, written, no_draws):
    repeating = bandwidth(model="csv", file=written("time_s,mbps\n0,1\n1,1\n"), repeat_every_s=2.0)
    assert list(repeating.pieces(no_draws)) == [(0, 1_000_000)]


def test_several_links_have_the_same_recording(bandwidth, written, no_draws):
    settings = bandwidth(model="csv", file=written(RECORDED))
    first, second = settings.pieces(no_draws), settings.pieces(no_draws)
    assert next(first) == next(second)
    assert list(first) == list(second) == PIECES[1:]


def test_reading_changes_no_settings(bandwidth, written, no_draws):
    settings = bandwidth(model="csv", file=written(RECORDED))
    untouched = settings.model_copy()
    list(settings.pieces(no_draws))
    assert settings == untouched
    assert settings.model_dump() == untouched.model_dump()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"trace:1: '' must be the header time_s,mbps"),
        ("0,1\n", r"trace:1: '0,1' must be the header time_s,mbps"),
        ("time_s,mbps\n", r"trace: holds a header alone"),
        ("time_s,mbps\n0\n", r"trace:2: '0' must be 2 value\(s\): time_s,mbps"),
        ("time_s,mbps\n0,fast\n", r"trace:2: mbps 'fast' must be a finite number of at least 0"),
        ("time_s,mbps\n0,-1\n", r"trace:2: mbps '-1' must be a finite number of at least 0"),
        ("time_s,mbps\n1,1\n", r"trace:2: time_s 1 must be 0"),
        ("time_s,mbps\n0,1\n\n2,1\n2,3\n", r"trace:5: time_s 2 must be above 2"),
        (
            "time_s,mbps\n0,1\n1234567.8,1\n1234567,3\n",
            r"trace:4: time_s 1234567 must be above 1234567\.8 ",
        ),
        ("time_s,mbps\n0,1e300\n1e300,2\n", r"trace:2: mbps '1e300' must be at most 1000000000 "),
        ("time_s,mbps\n0,0\n1,1e-7\n", r"trace: mbps must be at least 1e-6 in some line"),
    ],
)
def test_mistakes_in_the_file(bandwidth, written, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        bandwidth(model="csv", file=written(content))
    (error,) = caught.value.errors()
    assert error["loc"] == ("csv", "file")


@pytest.mark.parametrize("repeat_every_s", [2.0, 1.0, -1.0, 1e303, float("inf")])
def test_a_recording_starts_again_after_its_end(bandwidth, written, repeat_every_s):
    with pytest.raises(
        ValueError, match=r"above the last time in the file, 2|finite number|less than or equal to 1000000000"
    ):
        bandwidth(model="csv", file=written(RECORDED), repeat_every_s=repeat_every_s)
