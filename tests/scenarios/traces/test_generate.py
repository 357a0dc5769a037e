import numpy as np
import pytest

from scenarios.traces import DESCRIPTIONS, FOLDER, generate


def test_the_packaged_files_are_made_by_this(tmp_path):
    generate.write(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == set(DESCRIPTIONS)
    assert made == {name: (FOLDER / name).read_bytes() for name in DESCRIPTIONS}
    assert all(len(content) < 60_000 for content in made.values())


def test_nothing_else_lies_beside_them():
    others = {path.name for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"}
    assert others == {*DESCRIPTIONS, "README.md"}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_each_is_told_of(name):
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


def test_the_drive_lasts_a_minute_and_stands_still_at_times():
    times = np.loadtxt(FOLDER / "lte-drive.up")
    assert times[-1] == 60_000
    assert 1.2e6 < len(times) * 12_000 / 60 < 1.35e6
    assert np.diff(times).max() > 50


@pytest.mark.parametrize(("name", "last_s"), [("wifi-office.csv", 599), ("rush-hour.csv", 86_100)])
def test_bandwidths_cover_their_time(name, last_s):
    time_s, mbps = np.loadtxt(FOLDER / name, delimiter=",", skiprows=1, unpack=True)
    assert (time_s[0], time_s[-1]) == (0, last_s)
    assert len(set(np.diff(time_s))) == 1
    assert mbps.min() >= 1


def test_levels_are_as_described():
    wifi = np.loadtxt(FOLDER / "wifi-office.csv", delimiter=",", skiprows=1)[:, 1]
    assert 42 < np.median(wifi) < 48
    assert 0.1 < (wifi < 10).mean() < 0.25
    hours = np.loadtxt(FOLDER / "rush-hour.csv", delimiter=",", skiprows=1)[:, 1].reshape(24, 12).mean(axis=1)
    assert hours.argmin() == 17
    assert 18 < hours[2:5].mean() < 21
    assert 5 < hours[17] < 7
    latencies = np.loadtxt(FOLDER / "latency-lte.csv", skiprows=1)
    assert 43 < np.median(latencies) < 47
    assert 0.02 < (latencies > 130).mean() < 0.04
