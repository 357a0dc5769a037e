"""Whole runs in which the cloud refuses uploads, crashes and scales: what the tables say."""

from __future__ import annotations

import math

import pyarrow.parquet as pq
import pytest

from sim.results import TABLES

IDEAL = {"uplink_mbps": math.inf, "downlink_mbps": math.inf}
TROUBLED = {
    "gflops": 0.003,
    "overhead_ms": 50.0,
    "inbox": {"discipline": "fair_per_device", "capacity": 2, "overflow": "drop_oldest"},
    "crashes": {"at_s": [3.3], "mean_up_s": 4.0, "restart_s": 0.7, "checkpoint_every_s": 1.0},
    "autoscaling": {"most_accelerators": 2, "start_up_s": 0.2, "idle_s": 0.1},
}


def read(folder):
    return {name.removesuffix(".parquet"): pq.read_table(folder / name).to_pylist() for name in TABLES}


def offloading(tiny, folder, overhead_ms, **cloud):
    """Run two seconds of one device with four batches of two, 0.5 s apart, each answered after a fixed time."""
    tiny.run(
        folder,
        strategy={"name": "offload"},
        duration_s=2.0,
        cloud={"gflops": math.inf, "overhead_ms": overhead_ms, **cloud},
        groups={"cameras": tiny.group(stream={"rate_hz": 2.0, "batch_size": 2, "phase": "zero"}, link=IDEAL)},
    )
    return read(folder)


def test_an_inbox_without_room_refuses_every_second_batch(tiny, tmp_path):
    tables = offloading(tiny, tmp_path, 700.0, inbox={"capacity": 0})
    assert [(row["ready_s"], row["finish_s"], row["status"]) for row in tables["updates"]] == [
        (0.0, 0.7, "finished"),
        (1.0, 1.7, "finished"),
    ]
    assert sorted((row["arrival_s"], row["status"], row["completion_s"]) for row in tables["batches"]) == [
        (0.0, "predicted", 0.7),
        (0.5, "lost", None),
        (1.0, "predicted", 1.7),
        (1.5, "lost", None),
    ]
    (device,) = tables["devices"]
    assert (device["samples_refused"], device["samples_lost_by_cloud"]) == (4, 0)
    assert (device["samples_uploaded"], device["samples_lost"], device["samples_in_progress"]) == (8, 4, 0)
    assert [row["status"] for row in tables["transfers"] if row["direction"] == "up"] == ["delivered"] * 4


def test_accelerators_are_not_paid_for_while_the_cloud_is_down(tiny, tmp_path):
    """They are there for 3 s of 8, and again for a second after a shorter crash."""
    for restart_s, paid_s in ((100.0, 3.0), (4.0, 4.0)):
        folder = tiny.run(
            tmp_path / f"{restart_s}",
            strategy=tiny.cema(),
            duration_s=8.0,
            cloud={"gflops": 1.0, "crashes": {"at_s": [3.0], "restart_s": restart_s}},
        )
        rows = read(folder)["cloud"]
        ends_s = [*(row["time_s"] for row in rows[1:]), 8.0]
        spans_s = [end_s - row["time_s"] for row, end_s in zip(rows, ends_s, strict=True)]
        assert sum(row["accelerators"] * span_s for row, span_s in zip(rows, spans_s, strict=True)) == paid_s


def test_a_crash_costs_the_answers_under_way_and_those_asked_for_while_it_lasts(tiny, tmp_path):
    tables = offloading(tiny, tmp_path, 300.0, crashes={"at_s": [0.6], "restart_s": 0.6})
    assert [
        (row["start_s"], row["finish_s"], row["status"], row["flops"] > 0) for row in tables["updates"]
    ] == [
        (0.0, 0.3, "finished", True),
        (0.5, 0.6, "lost", False),
        (1.5, 1.8, "finished", True),
    ]
    statuses = [row["status"] for row in sorted(tables["batches"], key=lambda row: row["arrival_s"])]
    assert statuses == ["predicted", "lost", "lost", "predicted"]
    (device,) = tables["devices"]
    assert (device["samples_refused"], device["samples_lost_by_cloud"]) == (0, 2)
    assert [(row["time_s"], row["event"]) for row in tables["cloud"]] == [
        (0.0, "started"),
        (0.6, "crashed"),
        (1.2, "restarted"),
    ]


def test_every_delivered_sample_is_accounted_for(tiny, tmp_path):
    scenario = tiny.scenario(
        strategy={"name": "offload"},
        cloud=TROUBLED | {"gflops": math.inf, "overhead_ms": 150.0, "inbox": {"capacity": 1}},
        groups={"cameras": tiny.group(count=4)},
        duration_s=20.0,
    )
    simulation = tiny.simulation(scenario, tmp_path)
    with simulation.recorder, simulation.executor:
        simulation.run()
        simulation.finish()
    tables, cloud = read(tmp_path), simulation.cloud
    occurred = {row["status"] for row in tables["updates"]} | {row["event"] for row in tables["cloud"]}
    occurred |= {name for row in tables["devices"] for name in row if row[name] and "samples_" in name}
    assert {"finished", "lost", "crashed", "restarted", "checkpoint", "accelerator_stopped"} <= occurred
    assert {"samples_refused", "samples_lost_by_cloud"} <= occurred
    for device in tables["devices"]:
        name = device["device"]
        delivered = sum(
            row["samples"]
            for row in tables["transfers"]
            if (row["device"], row["direction"], row["status"]) == (name, "up", "delivered")
        )
        steps = [row for row in tables["updates"] if row["student"] == name]
        never_began = 2 * sum(row["new_samples"] is None for row in steps)
        begun = sum(row["new_samples"] or 0 for row in steps)
        waiting = sum(message.samples for message, _ in cloud.inbox.waiting if message.device == name)
        waiting += 2 * sum(job.step.student == name for job in cloud.waiting)
        dismissed = device["samples_refused"] + device["samples_lost_by_cloud"]
        assert delivered == dismissed + begun + never_began + waiting


@pytest.mark.parametrize("resets_s", [[], [5.0]])
def test_a_troubled_run_repeats_itself_and_sees_the_world_of_an_untroubled_one(tiny, tmp_path, resets_s):
    def run(name, cloud):
        folder = tmp_path / name
        changes = {"strategy": tiny.cema(), "resets_s": resets_s}
        tiny.run(folder, cloud=cloud, groups={"cameras": tiny.group(count=3)}, **changes)
        return read(folder)

    first, second = run("first", TROUBLED), run("second", TROUBLED)
    assert first == second
    assert {"lost", "finished"} <= {row["status"] for row in first["updates"]}
    untroubled = run("untroubled", {"gflops": 0.003, "overhead_ms": 50.0})
    seen = [
        {(row["device"], row["batch"]): (row["arrival_s"], row["image"]) for row in tables["batches"]}
        for tables in (first, untroubled)
    ]
    assert seen[0] == seen[1]


def test_version_numbers_increase_through_crashes(tiny, tmp_path):
    crashes = {"at_s": [2.0, 4.0, 6.0, 8.0], "restart_s": 0.3, "checkpoint_every_s": 1.5}
    tiny.run(tmp_path, strategy=tiny.cema(), cloud={"gflops": 1.0, "crashes": crashes})
    tables = read(tmp_path)
    published = [row["version"] for row in tables["updates"] if row["version"] is not None]
    assert published == list(range(1, len(published) + 1))
    assert len(published) > 4
    for device in ("cameras-0", "cameras-1"):
        used = [row["version"] for row in tables["batches"] if row["device"] == device]
        held = [version for version in used if version is not None]
        assert held == sorted(held)
