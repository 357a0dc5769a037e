from __future__ import annotations

import pickle

import pytest

from sim.bench import growth
from sim.bench.growth import Spent, fleet, times


@pytest.mark.parametrize("devices", growth.FLEETS)
def test_fleets_of_all_sizes_make_as_many_batches(devices):
    scenario = fleet("source", devices, 2_000)
    groups = scenario.groups.values()
    assert sum(group.count for group in groups) == devices
    made = sum(group.count * group.stream.rate_hz * scenario.duration_s for group in groups)
    assert made == pytest.approx(2_000)
    assert [group.stream.batch_size for group in groups] == [1, 2, 3, 4]


def test_a_fleet_is_run_and_its_batches_counted():
    spent = growth.run(fleet("source", 4, 8), "cpu")
    assert spent.start > 0
    assert spent.batch > 0


def test_rounds_become_ratios_to_the_smallest_fleet():
    spent = {
        100: [Spent(1.0, 0.002), Spent(1.0, 0.001)],
        1_000: [Spent(2.0, 0.002), Spent(2.0, 0.002)],
        10_000: [Spent(20.0, 0.003), Spent(10.0, 0.001)],
    }
    middle, last, begin = times("source", spent)
    assert (middle.rounds, middle.target) == ((1.0, 2.0), None)
    assert last.rounds == (1.5, 1.0)
    assert (last.target, last.value, last.met) == (1.2, 1.25, False)
    assert begin.rounds == (2.0, 1.0)


def test_time_and_memory_are_measured_under_both_strategies(monkeypatch):
    made = []

    def run(scenario, device):
        made.append((scenario.strategy[0].name, sum(group.count for group in scenario.groups.values())))
        return Spent(1.0, 1.0)

    monkeypatch.setattr(growth, "run", run)
    fresh = []

    def measured(*call):
        fresh.append(pickle.loads(pickle.dumps(call)))  # as on its way to another process
        return 10_000.0

    monkeypatch.setattr(growth, "in_fresh_process", measured)
    told = []
    result = growth.measure(1, told.append, "cpu")
    assert made == [(name, devices) for name in ("source", "cema") for devices in growth.FLEETS]
    assert [figure.value for figure in result.figures[-2:]] == [10.0, 10.0]
    assert fresh == [(growth.memory_per_device, name, 10_000, "cpu") for name in ("source", "cema")]
    assert told[0] == "round 1 of 1: 100"
