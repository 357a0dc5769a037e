from __future__ import annotations

import math
from itertools import islice, pairwise

import numpy as np
import pytest

from models.datasets import Images
from scenarios.schema import Group, Shift
from sim.clock import SECOND
from sim.streams import RandomStreams
from sim.world import DeviceStream, Schedule

IMAGES = Images(
    np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8),
    np.arange(30, dtype=np.int64) % 10,
)


def group(schedule=({},), repeat_schedule=False, **stream) -> Group:
    return Group.model_validate(
        {
            "stream": {"rate_hz": 1.0, "batch_size": 4} | stream,
            "compute": {"gflops": 1.0},
            "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
            "schedule": schedule,
            "repeat_schedule": repeat_schedule,
        }
    )


def stream(device="camera-0", seed=0, **settings) -> DeviceStream:
    return DeviceStream(device, group(**settings), IMAGES, RandomStreams(seed))


def first(count: int, **settings):
    return list(islice(stream(**settings).batches(), count))


def arrivals(count: int, **settings) -> list[int]:
    return [batch.arrival for batch in first(count, **settings)]


def order(count: int, **settings) -> list[int]:
    return np.concatenate([batch.indices for batch in first(count, **settings)]).tolist()


def test_periodic_batches_do_not_drift():
    exact = [round(number * SECOND / 3) for number in range(10_000)]
    assert arrivals(10_000, rate_hz=3.0, phase="zero") == exact


def test_a_random_phase_lies_within_the_first_period():
    times = arrivals(100, rate_hz=0.5)
    assert 0 < times[0] < 2 * SECOND
    assert {after - before for before, after in pairwise(times)} == {2 * SECOND}


def test_devices_have_phases_of_their_own():
    assert arrivals(1, device="camera-0") != arrivals(1, device="camera-1")


def test_poisson_batches_have_independent_exponential_gaps_of_the_declared_mean():
    gaps = np.diff([0, *arrivals(4000, arrival="poisson", rate_hz=5.0)]) / SECOND
    standard_error = 0.2 / math.sqrt(4000)
    assert abs(gaps.mean() - 0.2) < 4 * standard_error
    assert abs(gaps.std() - 0.2) < 8 * standard_error  # mean and deviation of an exponential are equal


def test_images_come_once_each_before_any_comes_again():
    indices = order(45)  # six times thirty images, in batches of four
    for epoch in range(6):
        assert sorted(indices[30 * epoch : 30 * (epoch + 1)]) == list(range(30))


def test_each_time_around_has_an_order_of_its_own():
    indices = order(15)
    assert indices[:30] != indices[30:]


def test_a_batch_may_be_larger_than_the_data_set():
    (batch,) = first(1, batch_size=75)
    assert np.bincount(batch.indices).tolist().count(3) == 15
    assert set(np.bincount(batch.indices)) == {2, 3}


def test_batches_are_numbered_and_labelled():
    batches = first(9)
    assert [batch.number for batch in batches] == list(range(9))
    assert all(len(batch) == 4 for batch in batches)
    assert all((batch.labels == IMAGES.labels[batch.indices]).all() for batch in batches)


@pytest.mark.parametrize("change", [{"arrival": "poisson"}, {"rate_hz": 9.0}, {"phase": "zero"}])
def test_when_images_arrive_does_not_change_their_order(change):
    assert order(20, **change) == order(20)


def test_the_size_of_batches_changes_neither_order_nor_times():
    assert order(10, batch_size=10) == order(25, batch_size=4)
    assert arrivals(10, batch_size=10) == arrivals(10, batch_size=4)


def test_devices_and_seeds_have_orders_of_their_own():
    orders = [order(5), order(5, device="camera-1"), order(5, seed=1)]
    assert len({tuple(indices) for indices in orders}) == 3


FOG, NOISE = ({"corruption": name, "severity": 2, "duration_s": 1.0} for name in ("fog", "gaussian_noise"))


def shifts(times, **settings) -> list[str]:
    schedule = Schedule(group(**settings))
    return [schedule.at(time).corruption for time in times]


def test_a_shift_holds_up_to_its_end_and_the_last_for_good():
    times = [0, SECOND - 1, SECOND, 2 * SECOND - 1, 2 * SECOND, 1000 * SECOND]
    seen = shifts(times, schedule=[FOG, NOISE, {}])
    assert seen == ["fog", "fog", "gaussian_noise", "gaussian_noise", "none", "none"]


def test_the_last_shift_outlasts_its_duration_unless_the_schedule_repeats():
    times = [0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND - 1, 101 * SECOND]
    once = shifts(times, schedule=[FOG, NOISE])
    again = shifts(times, schedule=[FOG, NOISE], repeat_schedule=True)
    assert once == ["fog"] + ["gaussian_noise"] * 5
    assert again == ["fog", "gaussian_noise", "fog", "gaussian_noise", "gaussian_noise", "gaussian_noise"]


def test_a_long_gap_passes_over_whole_shifts():
    assert shifts([0, 5 * SECOND], schedule=[FOG, NOISE, FOG, NOISE, {}]) == ["fog", "none"]


def test_batches_see_the_shift_of_their_arrival():
    batches = first(4, schedule=[FOG, NOISE, {}], phase="zero")
    assert [batch.shift.corruption for batch in batches] == ["fog", "gaussian_noise", "none", "none"]


def test_clean_images_are_those_of_the_data_set():
    batch = first(1)[0]
    assert (stream().render(batch) == IMAGES.images[batch.indices]).all()


def test_corrupted_images_are_those_of_the_corruption():
    noisy = stream(schedule=[NOISE])
    batch = next(noisy.batches())
    assert batch.shift == Shift(corruption="gaussian_noise", severity=2, duration_s=1.0)
    assert noisy.render(batch).shape == (4, 8, 8, 1)
    assert (noisy.render(batch) != IMAGES.images[batch.indices]).mean() > 0.5


def test_noise_depends_on_the_number_of_the_batch_alone():
    one, other = stream(schedule=[NOISE]), stream(schedule=[NOISE])
    batches = list(islice(one.batches(), 6))
    in_order = [one.render(batch) for batch in batches]
    assert (other.render(batches[5]) == in_order[5]).all()  # the five before it were never looked at
    assert (one.render(batches[2]) == in_order[2]).all()


def test_noise_differs_from_batch_to_batch_and_from_device_to_device():
    noisy = stream(schedule=[NOISE])
    batch = next(noisy.batches())
    later = type(batch)(1, batch.arrival, batch.indices, batch.labels, batch.shift)
    assert (noisy.render(batch) != noisy.render(later)).any()
    assert (noisy.render(batch) != stream(device="camera-1", schedule=[NOISE]).render(batch)).any()


def test_rendering_leaves_the_data_set_alone():
    before = IMAGES.images.copy()
    noisy = stream(schedule=[NOISE])
    noisy.render(next(noisy.batches()))
    assert (IMAGES.images == before).all()
