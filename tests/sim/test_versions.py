from __future__ import annotations

import pytest

from sim.versions import VersionLog


def log(*times: int) -> VersionLog:
    versions = VersionLog()
    for number, time in enumerate(times, start=1):
        versions.publish(number, time)
    return versions


def test_the_model_as_deployed_is_version_zero_of_time_zero():
    assert VersionLog().published == [0]
    assert VersionLog().age(0, 30) == 30


def test_age_is_the_time_since_publication():
    assert log(10, 25).age(1, 30) == 20


@pytest.mark.parametrize(("now", "behind"), [(0, 0), (9, 0), (10, 1), (24, 1), (25, 2), (99, 2)])
def test_behind_counts_what_was_published_up_to_now(now, behind):
    assert log(10, 25).behind(0, now) == behind


def test_the_newest_is_behind_nothing():
    assert log(10, 25).behind(2, 25) == 0


def test_versions_of_one_moment_all_count():
    assert log(10, 10, 10).behind(1, 10) == 2


@pytest.mark.parametrize("number", [0, 1, 3])
def test_numbers_follow_one_another(number):
    versions = log(10)
    with pytest.raises(ValueError, match=f"version {number} published after version 1"):
        versions.publish(number, 20)
    assert versions.published == [0, 10]


def test_logs_are_independent():
    log(10)
    assert VersionLog().published == [0]
