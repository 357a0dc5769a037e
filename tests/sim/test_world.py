from __future__ import annotations

import gc
import math
import tracemalloc
from collections import Counter
from fractions import Fraction
from itertools import groupby, islice, pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.datasets import Images
from models.rendering import Renderer
from scenarios.fleet import Group
from scenarios.life import DeviceClock
from scenarios.world import Shift
from sim import world
from sim.clock import SECOND
from sim.streams import RandomStreams
from sim.world import Batch, DeviceStream, correlated

IMAGES = Images(
    np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8),
    np.arange(30, dtype=np.int64) % 10,
)
ON_DEMAND = Renderer(bound=0)  # nothing is rendered ahead


def group(schedule=({},), **stream) -> Group:
    return Group.model_validate(
        {
            "stream": {"rate_hz": 1.0, "batch_size": 4} | stream,
            "compute": {"gflops": 1.0},
            "link": {"uplink_mbps": 1.0, "downlink_mbps": 1.0},
            "schedule": schedule,
        }
    )


def stream(device="camera-0", seed=0, **settings) -> DeviceStream:
    return DeviceStream(device, group(**settings), IMAGES, RandomStreams(seed), ON_DEMAND)


def images(stream, batch):
    rendered, present = stream.render(batch).result()
    assert present.all()
    return rendered


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


def drifting(drift_ppm, device="camera-0", **settings):
    described = group(**settings).model_copy(update={"clock": DeviceClock(drift_ppm=drift_ppm)})
    return DeviceStream(device, described, IMAGES, RandomStreams(0), ON_DEMAND)


def test_a_clock_that_drifts_lets_the_phase_wander():
    """A clock with rate error r lets the batch that is due at t come at t (1 + r), after any time, exactly."""
    drawn = RandomStreams(0).generator("camera-0/clock").standard_normal()
    error = Fraction(round(drawn * 50 * 10**9), 10**15)
    due = [
        round((RandomStreams(0).generator("camera-0/arrivals").random() + n) * SECOND / 3)
        for n in range(5000)
    ]
    came = [batch.arrival for batch in islice(drifting(50.0, rate_hz=3.0).batches(), 5000)]
    assert came == [math.floor(time * (1 + error)) for time in due]
    assert came[-1] != due[-1]


def test_clocks_have_rate_errors_of_the_declared_deviation():
    errors = []
    for number in range(400):
        first, second = islice(drifting(100.0, f"camera-{number}", rate_hz=1e-3).batches(), 2)
        errors.append(((second.arrival - first.arrival) / (1000 * SECOND) - 1) * 1e6)
    assert abs(np.mean(errors)) < 4 * 100 / math.sqrt(400)
    assert abs(np.std(errors) / 100 - 1) < 4 / math.sqrt(2 * 400)


def test_a_drifting_clock_changes_neither_the_images_nor_their_order():
    exact, wandering = (
        [batch.indices.tolist() for batch in islice(drifting(ppm).batches(), 20)] for ppm in (0.0, 200.0)
    )
    assert exact == wandering


def test_the_world_keeps_true_time_whatever_the_clock():
    schedule = [{"corruption": "fog", "severity": 2, "duration_s": 1000.0}, {}]
    for batch in islice(drifting(10_000.0, schedule=schedule).batches(), 1100):
        assert batch.shift.corruption == ("fog" if batch.arrival < 1000 * SECOND else "none")


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


def test_random_order_and_phase_are_those_of_the_named_streams():
    named = RandomStreams(0)
    epochs = [named.generator("camera-0/order", epoch).permutation(30).tolist() for epoch in range(2)]
    assert order(15) == epochs[0] + epochs[1]
    assert arrivals(1) == [round(named.generator("camera-0/arrivals").random() * SECOND)]
    assert order(2) == [7, 12, 15, 5, 18, 24, 28, 13]


def test_a_batch_may_be_larger_than_the_data_set():
    (batch,) = first(1, batch_size=75)
    assert np.bincount(batch.indices).tolist().count(3) == 15
    assert set(np.bincount(batch.indices)) == {2, 3}


def test_batches_are_numbered_and_labelled():
    batches = first(9)
    assert [batch.number for batch in batches] == list(range(9))
    assert all(len(batch) == 4 for batch in batches)
    assert all((batch.labels == IMAGES.labels[batch.indices]).all() for batch in batches)


LABELS = st.sampled_from(["shuffled", "sorted", {"dirichlet": 0.01}, {"dirichlet": 0.5}, {"dirichlet": 100}])


@given(labels=LABELS, batch_size=st.integers(1, 70))
def test_whatever_the_labels_do_images_come_once_each_before_any_comes_again(labels, batch_size):
    indices = order(-(-60 // batch_size), labels=labels, batch_size=batch_size)
    assert sorted(indices[:30]) == sorted(indices[30:60]) == list(range(30))


@given(labels=LABELS, batch_size=st.integers(1, 70), held=st.integers(1, 40))
def test_how_much_of_the_order_is_held_changes_nothing(labels, batch_size, held):
    whole = stream(labels=labels)
    epochs = np.concatenate([whole._epoch(epoch) for epoch in range(5)])
    with patch.object(world, "INDICES_HELD", held):
        found = order(140 // batch_size, labels=labels, batch_size=batch_size)
    assert found == epochs[: len(found)].tolist()


def test_a_device_holds_a_stretch_of_its_order_and_no_more():
    many = Images(np.zeros((70_000, 1, 1, 1), np.uint8), np.zeros(70_000, np.int64))
    streams = [
        DeviceStream(f"camera-{number}", group(), many, RandomStreams(0), ON_DEMAND) for number in range(20)
    ]
    open_batches = [device.batches() for device in streams]
    tracemalloc.start()
    for batches in open_batches:
        next(batches)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(streams) < 6_000  # the whole order would be 280 000


def test_the_order_is_drawn_once_for_every_stretch(monkeypatch):
    drawn = []
    draw = DeviceStream._epoch
    monkeypatch.setattr(DeviceStream, "_epoch", lambda *given: drawn.append(given[1]) or draw(*given))
    monkeypatch.setattr(world, "INDICES_HELD", 10)
    order(15)  # sixty indices of thirty images
    assert drawn == [0, 0, 0, 1, 1, 1]


def test_sorted_labels_come_class_by_class_in_every_epoch():
    labels = IMAGES.labels[order(15, labels="sorted")].tolist()
    assert labels == sorted(labels[:30]) * 2


def test_sorted_images_of_a_class_keep_their_random_order():
    found, shuffled = (order(1, batch_size=30, labels=labels) for labels in ("sorted", "shuffled"))
    assert found == sorted(shuffled, key=lambda index: IMAGES.labels[index])
    assert found[:3] != sorted(found[:3])


def test_correlated_labels_leave_arrivals_and_other_devices_alone():
    assert arrivals(9, labels={"dirichlet": 0.1}) == arrivals(9)
    orders = [order(8, labels={"dirichlet": 0.1}, device=f"camera-{number}") for number in range(3)]
    assert len({tuple(indices) for indices in orders}) == 3


def runs(labels) -> list[int]:
    """The labels with repetitions left out."""
    return [label for label, _ in groupby(labels)]


def plain_order(labels, concentration, generator):
    """Deal out every class to slots in the given shares; then slot by slot, class by class."""
    classes = sorted(set(labels))
    slots = [[] for _ in range(min(len(classes), 100))]
    shares = generator.dirichlet([concentration] * len(slots), len(classes))
    for name, share in zip(classes, shares, strict=True):
        own = [place for place, label in enumerate(labels) if label == name]
        bounds = [0, *(int(total * len(own)) for total in np.cumsum(share)[:-1]), len(own)]
        for slot, (first, last) in zip(slots, pairwise(bounds), strict=True):
            slot.append(own[first:last])
    turns = generator.permuted([list(range(len(classes)))] * len(slots), axis=1)
    in_turn = [
        dealt
        for turn, slot in zip(turns, slots, strict=True)
        for _, dealt in sorted(zip(turn, slot, strict=True))
    ]
    return [place for dealt in in_turn for place in dealt]


@given(
    labels=st.lists(st.integers(0, 7), min_size=1, max_size=60),
    concentration=st.sampled_from([1e-6, 0.1, 1.0, 1e6]),
    seed=st.integers(0, 99),
)
def test_correlated_labels_are_dealt_out_as_published(labels, concentration, seed):
    found = correlated(np.array(labels), concentration, np.random.default_rng(seed))
    assert found.tolist() == plain_order(labels, concentration, np.random.default_rng(seed))


def test_a_tiny_concentration_puts_every_class_into_one_slot():
    labels = np.tile(np.arange(10), 50)
    found = labels[correlated(labels, 1e-6, np.random.default_rng(0))]
    assert len(runs(found)) == 10


def test_a_large_concentration_gives_every_slot_its_share_of_every_class():
    labels = np.tile(np.arange(5), 1000)
    found = labels[correlated(labels, 1e6, np.random.default_rng(0))]
    for slot in np.split(found, 5):
        assert (abs(np.bincount(slot, minlength=5) - 200) <= 10).all()  # no slot has exactly 1000


def test_more_classes_than_slots():
    labels = np.repeat(np.arange(300), 4)
    found = labels[correlated(labels, 1.0, np.random.default_rng(0))]
    assert np.bincount(found).tolist() == [4] * 300


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
HALF_CLEAN = {
    "mix": [{"weight": 2}, {"corruption": "fog", "severity": 3}, {"corruption": "snow", "severity": 1}]
}


def test_batches_see_the_shift_of_their_arrival():
    batches = first(4, schedule=[FOG, NOISE, {}], phase="zero")
    assert [batch.shift.corruption for batch in batches] == ["fog", "gaussian_noise", "none", "none"]


def test_batches_see_the_severity_that_a_ramp_has_reached():
    ramp = {"corruption": "fog", "severity": 1, "severity_to": 3, "duration_s": 6.0}
    batches = first(8, schedule=[ramp], phase="zero")
    assert [batch.shift.severity for batch in batches] == [1, 1, 2, 2, 3, 3, 3, 3]
    assert {condition for batch in batches[2:4] for condition in batch.conditions} == {("fog", 2)}


def test_samples_share_the_shift_unless_it_is_a_mixture():
    clean, foggy = first(2, schedule=[{"duration_s": 1.0}, FOG], phase="zero")
    assert (clean.conditions, foggy.conditions) == ((("none", 0),) * 4, (("fog", 2),) * 4)
    assert clean.drawn_names is foggy.drawn_names is None


def test_every_sample_of_a_mixture_draws_a_condition():
    batches = first(1000, schedule=[HALF_CLEAN])
    assert {(batch.shift.corruption, batch.shift.severity) for batch in batches} == {("mixed", 0)}
    drawn = Counter(name for batch in batches for name in batch.drawn_names)
    shares = {"none": 0.5, "fog-3": 0.25, "snow-1": 0.25}
    for name, share in shares.items():
        assert abs(drawn[name] / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)
    assert set(drawn) == set(shares)
    assert len({tuple(batch.drawn_names) for batch in batches}) > 50


def test_what_samples_draw_depends_on_the_number_of_the_batch_alone():
    mixed = first(6, schedule=[HALF_CLEAN], phase="zero")
    later = first(6, schedule=[FOG, FOG, FOG, HALF_CLEAN], phase="zero")
    assert [batch.drawn for batch in later] == [None, None, None, *(batch.drawn for batch in mixed[3:])]
    assert [batch.indices.tolist() for batch in mixed] == [batch.indices.tolist() for batch in first(6)]
    other = first(6, device="camera-1", schedule=[HALF_CLEAN])
    assert [batch.drawn for batch in other] != [batch.drawn for batch in mixed]


def test_images_of_a_mixture_are_each_under_their_own_condition():
    mixed = stream(schedule=[{"mix": [{}, {"corruption": "gaussian_noise", "severity": 5}]}], batch_size=30)
    batch = next(mixed.batches())
    clean = np.array([condition == ("none", 0) for condition in batch.conditions])
    unchanged = (images(mixed, batch) == IMAGES.images[batch.indices]).all(axis=(1, 2, 3))
    assert 0 < clean.sum() < 30
    assert (unchanged == clean).all()


def test_what_is_to_be_rendered_gives_the_same_whenever_it_is_rendered():
    noisy = stream(schedule=[NOISE])
    batches = list(islice(noisy.batches(), 3))
    asked_early = [noisy.order(batch) for batch in batches]
    for asked, batch in reversed(list(zip(asked_early, batches, strict=True))):
        rendered, _ = asked.render()
        assert (rendered == images(noisy, batch)).all()


def test_all_of_a_batch_is_the_batch():
    batch = first(1)[0]
    assert batch.only(np.ones(4, np.bool_)) is batch


def test_a_part_of_a_batch_keeps_what_its_samples_drew():
    whole = first(1, schedule=[HALF_CLEAN])[0]
    part = whole.only(np.array([True, False, False, True]))
    assert part.conditions == (whole.conditions[0], whole.conditions[3])
    assert part.labels.tolist() == [whole.labels[0], whole.labels[3]]
    foggy = first(1, schedule=[FOG])[0].only(np.array([False, True, True, False]))
    assert (foggy.conditions, foggy.drawn_names) == ((("fog", 2),) * 2, None)


def test_clean_images_are_those_of_the_data_set():
    batch = first(1)[0]
    assert (images(stream(), batch) == IMAGES.images[batch.indices]).all()


def test_corrupted_images_are_those_of_the_corruption():
    noisy = stream(schedule=[NOISE])
    batch = next(noisy.batches())
    assert batch.shift == Shift(corruption="gaussian_noise", severity=2, duration_s=1.0)
    assert images(noisy, batch).shape == (4, 8, 8, 1)
    assert (images(noisy, batch) != IMAGES.images[batch.indices]).mean() > 0.5


def test_noise_depends_on_the_number_of_the_batch_alone():
    one, other = stream(schedule=[NOISE]), stream(schedule=[NOISE])
    batches = list(islice(one.batches(), 6))
    in_order = [images(one, batch) for batch in batches]
    assert (images(other, batches[5]) == in_order[5]).all()  # the five before it were never looked at
    assert (images(one, batches[2]) == in_order[2]).all()


def test_noise_differs_from_batch_to_batch_and_from_device_to_device():
    noisy = stream(schedule=[NOISE])
    batch = next(noisy.batches())
    later = Batch(1, batch.arrival, batch.indices, batch.labels, batch.shift)
    assert (images(noisy, batch) != images(noisy, later)).any()
    assert (images(noisy, batch) != images(stream(device="camera-1", schedule=[NOISE]), batch)).any()


def test_rendering_leaves_the_data_set_alone():
    before = IMAGES.images.copy()
    noisy = stream(schedule=[NOISE])
    images(noisy, next(noisy.batches()))
    assert (IMAGES.images == before).all()
