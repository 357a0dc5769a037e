from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.strategies._interface import Decision, DeviceName
from scenarios.world import Shift
from sim.batch_rows import Asked, Concluded, batch_row
from sim.clock import SECOND
from sim.results import TABLES
from sim.versions import VersionLog
from sim.world import Batch

DEVICE = DeviceName("camera-0", "camera")
BATCH = Batch(3, 2 * SECOND, np.array([7, 8]), np.array([0, 1]), Shift(corruption="fog", severity=2))


def asked(version, versions):
    return Asked(BATCH, 5 * SECOND, 1, SimpleNamespace(), versions, version)


def test_a_row_has_the_columns_of_the_table():
    assert list(batch_row(DEVICE, BATCH, "queued")) == TABLES["batches.parquet"].names


def test_of_a_batch_that_nobody_has_looked_at_only_its_arrival_is_known():
    row = batch_row(DEVICE, BATCH, "dropped")
    assert {name: value for name, value in row.items() if value is not None} == {
        "device": "camera-0",
        "group": "camera",
        "batch": 3,
        "status": "dropped",
        "arrival_s": 2.0,
        "corruption": "fog",
        "severity": 2,
        "samples": 2,
        "damaged": 0,
        "flops": 0,
        "image": [7, 8],
        "label": [0, 1],
    }


def test_age_and_lag_are_those_at_the_beginning_of_the_work():
    versions = VersionLog()
    for number, time_s in ((1, 3), (2, 4), (3, 6)):
        versions.publish(number, time_s * SECOND)
    row = batch_row(DEVICE, BATCH, "lost", asked(1, versions))
    assert (row["start_s"], row["version"], row["version_age_s"], row["versions_behind"]) == (5.0, 1, 2.0, 1)
    assert row["damaged"] == 1
    for of, log in ((None, versions), (0, None)):  # without a cloud, and without versions
        row = batch_row(DEVICE, BATCH, "lost", asked(of, log))
        assert (row["version"], row["version_age_s"], row["versions_behind"]) == (of, None, None)


def test_what_was_predicted_stands_beside_the_labels():
    decision = Decision(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), ["kept", "unreliable"], state={"e_max": 0.5})
    row = batch_row(
        DEVICE, BATCH, "predicted", asked(0, VersionLog()), Concluded(6 * SECOND, decision, 99, 4)
    )
    assert (row["prediction"], row["correct"], row["kept"]) == ([0, 0], 1, 1)
    assert (row["completion_s"], row["flops"], row["forward_pass"]) == (6.0, 99, 4)
    assert row["entropy"][1] == pytest.approx(math.log(2))
    assert (row["verdict"], row["criteria_state"]) == (["kept", "unreliable"], [("e_max", 0.5)])
