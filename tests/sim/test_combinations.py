"""Whole runs in which several of a world's troubles meet."""

from __future__ import annotations

import json
import math

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from analysis.summary import summarise
from scenarios import loader
from sim.results import TABLES
from sim.run import Options, run_scenario
from tests.sim.random_scenarios import troubled_scenarios

IDEAL = {"uplink_mbps": math.inf, "downlink_mbps": math.inf}
TOWN = {"uplink_mbps": 0.2, "downlink_mbps": 0.2}
EVERYTHING = {
    "duration_s": 12.0,
    "resets_s": [7.0],
    "cloud": {
        "gflops": 0.02,
        "overhead_ms": 20.0,
        "inbox": {"discipline": "fair_per_device", "capacity": 3},
        "crashes": {"at_s": [3.0, 6.9], "restart_s": 0.5, "checkpoint_every_s": 1.0},
        "autoscaling": {"most_accelerators": 2, "start_up_s": 0.2, "idle_s": 0.1},
    },
    "cells": {"town": TOWN | {"updates": "multicast", "outages": {"mean_up_s": 3.0, "mean_down_s": 0.4}}},
    "regions": {"north": {"outages": {"scheduled_s": [[4.0, 4.8]]}}},
    "budgets": {
        "shared": {"rate_kbps": 4.0, "burst_bytes": 2500, "per": "fleet", "excess": "wait", "rank": "entropy"}
    },
}
TROUBLED_GROUPS = {
    "cameras": {
        "count": 2,
        "compute": {"gflops": 0.01, "overhead_ms": 400.0},
        "budget": "shared",
        "life": {"mean_up_s": 1.5, "mean_down_s": 0.5, "state": "lost"},
        "link": TOWN | {"cell": "town", "region": "north", "on_outage": "retry", "outbox": {"messages": 3}},
    },
    "phones": {
        "count": 2,
        "budget": "shared",
        "life": {"joins_s": 1.5, "mean_present_s": 2.5, "mean_absent_s": 0.6},
        "clock": {"drift_ppm": 5000},
        "queue": {"skip_after_s": 0.3},
        "upload_quality": {"by": "link", "target_s": 0.05, "lower": [{"codec": "jpeg", "quality": 20}]},
        "link": {
            "uplink_mbps": 0.1,
            "downlink_mbps": 0.1,
            "latency_ms": {"distribution": "lognormal", "median_ms": 40, "sigma": 1},
            "loss": 0.1,
            "superseded": "replace",
            "acknowledgement_bytes": 20,
        },
    },
}


def read(folder):
    return {name.removesuffix(".parquet"): pq.read_table(folder / name).to_pylist() for name in TABLES}


def everything(tiny):
    """The changes of a scenario with every kind of trouble."""
    groups = {name: tiny.group(**group) for name, group in TROUBLED_GROUPS.items()}
    return EVERYTHING | {"groups": groups, "strategy": tiny.cema(statistics="distributed")}


@pytest.fixture(scope="module")
def troubled(tiny, tmp_path_factory):
    """The folder of a run of it."""
    folder = tmp_path_factory.mktemp("troubled")
    scenario = loader.load(tiny.write("troubled.yaml", **everything(tiny)))
    run_scenario(scenario, folder, Options(device="cpu", allow_code=True, figures=False))
    return folder


def test_the_same_seed_gives_the_same_tables_whatever_fails(tiny, troubled, tmp_path):
    tiny.run(tmp_path, **everything(tiny))
    tables = read(troubled)
    assert {row["event"] for row in tables["cloud"]} >= {"crashed", "restarted", "checkpoint"}
    assert {row["status"] for row in tables["batches"]} >= {"predicted", "missed", "lost"}
    assert any(row["version"] for row in tables["batches"])
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (troubled / name).read_bytes(), name


def test_ages_of_versions_are_those_of_the_updates_whatever_fails(troubled):
    """The reset at 7 s begins the numbers anew; a crash of the cloud does not."""
    tables = read(troubled)
    published = {
        (row["finish_s"] > 7, row["version"]): row["finish_s"]
        for row in tables["updates"]
        if row["version"] is not None
    }
    held = [row for row in tables["batches"] if row["version"]]
    assert {row["start_s"] > 7 for row in held} == {False, True}
    assert {row["versions_behind"] > 0 for row in held} == {False, True}
    for row in held:
        epoch = row["start_s"] >= 7
        newer = [
            version
            for (since, version), time in published.items()
            if since == epoch and version > row["version"] and time <= row["start_s"]
        ]
        assert row["versions_behind"] == len(newer)
        assert row["version_age_s"] == pytest.approx(row["start_s"] - published[epoch, row["version"]])


def test_the_summary_adds_up_whatever_fails(troubled):
    """What is kept of a batch that the reset at 7 s overtakes is not sent."""
    found, tables = summarise(troubled), read(troubled)
    states = ("predicted", "dropped", "missed", "lost", "queued", "in_progress")
    assert found["samples"] == sum(found[f"{state}_samples"] for state in states)
    assert found["uploaded_samples"] == sum(row["samples_uploaded"] for row in tables["devices"])
    predicted = [row for row in tables["batches"] if row["status"] == "predicted"]
    kept = sum(row["kept"] for row in predicted if not row["start_s"] < 7 <= row["completion_s"])
    assert kept == sum(
        found[f"{state}_samples"] for state in ("uploaded", "lost_by_uplink", "withheld", "waiting")
    )
    for way, ledger in found["ledger"].items():
        assert ledger["sent_bytes"] == found[f"{way}_bytes"]
        assert ledger["sent_bytes"] == sum(
            ledger[f"{state}_bytes"] for state in ("delivered", "lost", "in_flight")
        )
    sizes = ("payload_bytes", "header_bytes", "retransmitted_bytes")
    together = [row for row in tables["transfers"] if row["group"] is None and row["start_s"] is not None]
    assert found["ledger"]["downlink"]["sent_bytes"] == sum(
        row["downlink_sent_bytes"] for row in tables["devices"]
    ) + sum(sum(map(row.get, sizes)) for row in together)
    assert together


def test_a_run_that_is_interrupted_amid_all_troubles_can_be_read(tiny, tmp_path):
    def interrupt(_, progress):
        if progress.simulated_s > 5:
            raise KeyboardInterrupt

    scenario = loader.load(tiny.write("troubled.yaml", **everything(tiny)))
    with pytest.raises(KeyboardInterrupt):
        run_scenario(scenario, tmp_path, Options(device="cpu", allow_code=True, figures=False), interrupt)
    assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "interrupted"
    found = summarise(tmp_path)
    assert found["samples"] > 0
    assert set(read(tmp_path)) == {name.removesuffix(".parquet") for name in TABLES}


def test_a_device_that_has_left_holds_up_nobody_who_shares_its_budget(tiny, tmp_path):
    """A raw image's message of 108 bytes takes 5.4 s of the fleet's budget: both wait from their first batch on."""
    budgets = {"shared": {"rate_kbps": 0.16, "burst_bytes": 120, "per": "fleet", "excess": "wait"}}
    group = {"budget": "shared", "link": IDEAL, "upload_codec": "raw"}
    groups = {
        "leaving": tiny.group(**group, life={"leaves_s": 2.0}),
        "staying": tiny.group(**group),
    }
    changes = {"strategy": tiny.cema(), "duration_s": 40.0, "groups": groups, "budgets": budgets}
    tables = read(tiny.run(tmp_path, **changes))
    handed_over = [(row["group"], row["queued_s"]) for row in tables["transfers"] if row["kind"] == "samples"]
    assert len(handed_over) == 8
    assert [group for group, time in handed_over if time > 2.0] == ["staying"] * 7
    leaving = next(row for row in tables["devices"] if row["group"] == "leaving")
    assert leaving["samples_waiting"] + leaving["samples_uploaded"] > 2


def test_resets_and_crashes_of_the_cloud_at_one_moment(tiny, tmp_path):
    """What a cloud that is down had learnt is forgotten by the reset; it comes back as deployed, and numbers from 1."""
    tables = read(
        tiny.run(
            tmp_path,
            strategy=tiny.cema(),
            resets_s=[5.0],
            cloud={"gflops": 1.0, "crashes": {"at_s": [4.8], "restart_s": 0.5, "checkpoint_every_s": 1.0}},
        )
    )
    versions = [(row["finish_s"], row["version"]) for row in tables["updates"] if row["version"] is not None]
    before = [version for time, version in versions if time < 5.0]
    after = [version for time, version in versions if time > 5.0]
    assert min(time for time, _ in versions if time > 5.0) > 5.3
    assert before == list(range(1, len(before) + 1))
    assert after == list(range(1, len(after) + 1))
    assert len(before) > 3
    assert len(after) > 3


def test_a_device_that_crashes_asks_no_more_for_batches_that_it_has_lost(tiny, tmp_path):
    """A batch of two is 176 bytes, which the budget has every second; two come in each, and all wait from 0.5 s on.

    The crash at 2.6 s comes with those of 1.5, 2 and 2.5 s still waiting; the next one is that of 4 s.
    """
    group = tiny.group(
        budget="plan",
        upload_codec="raw",
        stream={"rate_hz": 2.0, "batch_size": 2, "phase": "zero"},
        link=IDEAL,
        life={"crashes_s": [2.6], "restart_s": 1.3},
    )
    plan = {"rate_kbps": 1.408, "burst_bytes": 176}
    changes = {"groups": {"cameras": group}, "budgets": {"plan": plan}, "cloud": {"gflops": math.inf}}
    tables = read(tiny.run(tmp_path, strategy="offload", duration_s=6.0, **changes))
    asked = [row["queued_s"] for row in tables["transfers"] if row["direction"] == "up"]
    assert asked == [0.0, 1.0, 2.0, 4.0, 5.0]
    found = sorted((row["arrival_s"], row["status"], row["completion_s"]) for row in tables["batches"])
    assert found == [
        (0.0, "predicted", 0.0),
        (0.5, "predicted", 1.0),
        (1.0, "predicted", 2.0),
        (1.5, "lost", None),
        (2.0, "lost", None),
        (2.5, "lost", None),
        (3.0, "missed", None),
        (3.5, "missed", None),
        (4.0, "predicted", 4.0),
        (4.5, "predicted", 5.0),
        (5.0, "in_progress", None),
        (5.5, "in_progress", None),
    ]
    (device,) = tables["devices"]
    assert [device[f"samples_{state}"] for state in ("uploaded", "withheld", "waiting")] == [10, 6, 4]


@pytest.mark.parametrize("superseded", ["keep", "drop", "replace"])
def test_a_device_that_comes_back_is_sent_every_version_once(tiny, tmp_path, superseded):
    """Nothing is ever on its way while it is away, since a link without latency is down then."""
    slow = {"uplink_mbps": 1.0, "downlink_mbps": 0.002, "superseded": superseded}
    flapping = tiny.group(link=slow, life={"mean_present_s": 0.6, "mean_absent_s": 0.6})
    groups = {"flapping": flapping, "steady": tiny.group(link=IDEAL)}
    tables = read(tiny.run(tmp_path, groups=groups, strategy=tiny.cema()))
    sent = [row for row in tables["transfers"] if (row["group"], row["kind"]) == ("flapping", "update")]
    versions = [row["version"] for row in sorted(sent, key=lambda row: row["message"])]
    assert versions == list(range(1, len(versions) + 1))
    assert len(versions) > 8
    joined = sum(row["kind"] == "join" for row in tables["transfers"])
    assert joined > 3


def check_budgets(devices):
    """Who waits is in the line unless it is away, and the first of the line is served as soon as it can be."""
    for device in devices:
        uploads, budget = device.uploads, device.uploads.budget
        if budget is not None:
            assert (uploads in budget._line) == (uploads.least() is not None)
            assert device.presence.away == uploads.paused
            assert not (uploads.paused and uploads in budget._line)
            if budget._line:
                ready_at = budget.ready_at(budget._first().least())
                assert budget._alarm == ready_at >= budget.clock.time


def check_devices(devices):
    """Batches in progress are known, a device that is there has no batch waiting while it is at none."""
    for device in devices:
        assert device.counts.in_progress == sum(len(asked.batch) for asked in device._open.values())
        assert device.presence.away or device._open or not device.queue
        if device.versions is not None and device.agent.version is not None:
            versions = [device.agent.version] + [update.version for update in [device._update] if update]
            assert versions == sorted(set(versions))
            assert versions[-1] < len(device.versions.published)


def check_cloud(cloud):
    """Nothing waits that could run; nothing at all runs or waits while the cloud is down."""
    accelerators, uploads = cloud.accelerators, [] if cloud.inbox is None else cloud.inbox.waiting
    for student, update in cloud.newest.items():
        assert update.epoch == cloud.epoch
        assert update.version < len(cloud.versions[student].published)
    assert accelerators.ready - accelerators.free == len(cloud.running)
    if cloud.crashes is not None and cloud.crashes.down:
        assert not (cloud.running or cloud.waiting or uploads or accelerators.paid)
        return
    assert accelerators.minimum <= accelerators.ready
    if accelerators.free:
        assert all(job.step.student in cloud.running for job in cloud.waiting)
        assert not any(cloud._is_idle(message.device) for message, _ in uploads)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=troubled_scenarios())
def test_nothing_waits_that_could_go_on_whatever_fails(tiny, tmp_path_factory, changes):
    simulation = tiny.simulation(tiny.scenario(**changes), tmp_path_factory.mktemp("run"))

    def check(_):
        check_budgets(simulation.devices.values())
        check_devices(simulation.devices.values())
        if simulation.cloud is not None:
            check_cloud(simulation.cloud)

    with simulation.recorder, simulation.executor:
        simulation.run(check, slices=211)  # looks at no moment at which something is planned
        simulation.finish()
