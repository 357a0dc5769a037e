from __future__ import annotations

import pickle

import pytest

from sim.bench import memory
from sim.bench.memory import BATCHES, figures, uploading


def test_the_longer_run_has_ten_times_as_many_batches():
    short, long = uploading(200), uploading(2_000)
    assert long.duration_s == 10 * short.duration_s
    group = short.groups["cameras"]
    assert short.duration_s * group.count * group.stream.rate_hz == 200
    assert short.model_copy(update={"duration_s": long.duration_s}) == long


def test_peaks_become_a_ratio_with_a_target_and_bytes_a_batch():
    ratio, grown, peak = figures([100 * 2**20, 200 * 2**20], [110 * 2**20, 200 * 2**20])
    assert ratio.rounds == (1.1, 1.0)
    assert (ratio.target, ratio.better, ratio.met) == (1.1, "lower", True)
    assert grown.rounds == (10 * 2**20 / (9 * BATCHES), 0.0)
    assert peak.rounds == (100, 200)


def test_both_runs_are_measured_every_round(monkeypatch):
    asked = []

    def fresh(*call):
        function, batches, device = pickle.loads(pickle.dumps(call))  # as on its way to another process
        asked.append((function, batches, device))
        return 1000 + batches

    monkeypatch.setattr(memory, "in_fresh_process", fresh)
    result = memory.measure(1, lambda text: None, "cpu")
    assert asked == [(memory.peak_of_run, BATCHES, "cpu"), (memory.peak_of_run, 10 * BATCHES, "cpu")]
    assert result.figures[0].value == pytest.approx((1000 + 10 * BATCHES) / (1000 + BATCHES))


def test_the_peak_is_that_of_a_run_with_its_summary(monkeypatch):
    made = []
    monkeypatch.setattr(memory, "simulate", lambda scenario, folder, device: made.append((scenario, device)))
    assert memory.peak_of_run(60, "cpu") > 0
    assert made == [(uploading(60), "cpu")]
