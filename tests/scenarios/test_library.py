"""The packaged scenarios that tell a story, each in a short form in which what it is about happens."""

import pandas as pd
import pytest

from analysis.summary import summarise
from scenarios import loader
from sim.run import Options, run_scenario

CEMA = "{name: cema, preset: paper, statistics: source}"
FLEETS = "{name: cema, preset: paper, statistics: source, batch_size: 8, student_scope: group}"


def story(name, folder, *changes, strategy=CEMA):
    """Run a scenario with changes and one strategy, and return its summary and tables."""
    scenario = loader.load(name, [f"strategy=[{strategy}]", *changes])
    run_scenario(scenario, folder, Options(device="cpu", figures=False))
    return summarise(folder), {each.stem: pd.read_parquet(each) for each in folder.glob("*.parquet")}


def test_city_cameras(tmp_path):
    """In the rush hour images get smaller, and a version goes down once for each cell."""
    changes = [f"cells.{cell}.uplink_mbps.start_at_h=15" for cell in ("north", "south")]
    changes += [f"groups.{group}.count=4" for group in ("north", "south")]
    summary, tables = story("city-cameras", tmp_path, "duration_s=60", *changes)
    transfers = tables["transfers"]
    assert set(transfers["quality"].dropna()) == {0, 1, 2}
    updates = transfers[transfers["kind"] == "update"]
    assert set(updates["device"]) == {"north/fleet", "south/fleet"}
    assert len(updates) == 2 * summary["updates_published"] > 0
    assert set(tables["batches"]["version"]) > {0}


def test_satellite_farm(tmp_path):
    """What a station hands over never exceeds its allowance for the time so far; what waits gives way to the better."""
    summary, tables = story("satellite-farm", tmp_path, "duration_s=140", "groups.stations.count=2")
    budget = loader.load("satellite-farm").budgets["daily"]
    up = tables["transfers"].query("direction == 'up'").sort_values("queued_s")
    spent = (up["payload_bytes"] + up["header_bytes"]).groupby(up["device"]).cumsum()
    allowed = budget.ahead_bytes + budget.allowance_bytes * up["queued_s"] / budget.period_s
    assert (spent <= allowed.clip(upper=budget.allowance_bytes)).all()
    assert spent.groupby(up["device"]).max().min() > 0.8 * allowed.max()
    assert budget.excess == "replace"
    assert budget.waiting_samples < summary["waiting_samples"] <= 2 * budget.waiting_samples
    assert summary["withheld_samples"] > 0
    concluded = set(zip(tables["batches"]["device"], tables["batches"]["completion_s"], strict=True))
    handed_over = set(zip(up["device"], up["queued_s"], strict=True))
    assert len(handed_over - concluded) > 10  # they waited on the station


def test_flaky_fleet(tmp_path):
    """Devices and the cloud fail and lose what they hold, messages are sent again, and versions never go back."""
    summary, tables = story(
        "flaky-fleet",
        tmp_path,
        "duration_s=100",
        "groups.robots.life.mean_up_s=60",
        "groups.robots.link.outages.mean_up_s=20",
        "groups.robots.stream.rate_hz=0.2",
        "cloud.crashes.at_s=[50]",
        "cloud.crashes.checkpoint_every_s=20",
        "cloud.crashes.restart_s=15",
    )
    transfers = tables["transfers"]
    for what in ("missed", "lost", "dropped", "refused", "lost_by_cloud"):
        assert summary[f"{what}_samples"] > 0, what
    assert (summary["cloud_crashes"], summary["cloud_steps_lost"] > 0) == (1, True)
    assert transfers["attempts"].max() > 1
    assert {"checkpoint", "crashed", "restarted"} <= set(tables["cloud"]["event"])
    assert "join" in set(transfers["kind"])
    numbers = transfers[(transfers["kind"] == "update") & (transfers["status"] == "delivered")]
    assert all(versions.is_monotonic_increasing for _, versions in numbers.groupby("device")["version"])
    held = (
        tables["batches"].query("status == 'predicted'").sort_values("start_s").groupby("device")["version"]
    )
    assert any((versions.diff() < 0).any() for _, versions in held)  # a robot that crashed begins as deployed


@pytest.mark.parametrize("seed", [0, 1])
def test_thousand_sensors(tmp_path, seed):
    """One allowance holds for all devices together; the cloud scales with the rush, and takes the informative first."""
    fields = ("northeast", "southeast", "northwest", "southwest")
    changes = [
        f"groups.{field}.{change}" for field in fields for change in ("count=100", "stream.rate_hz=0.15")
    ]
    changes += ["duration_s=24", "budgets.fleet.allowance_bytes=120000", "cloud.gflops=2"]
    changes += ["cloud.autoscaling.start_up_s=0.5", "cloud.autoscaling.idle_s=1"]
    summary, tables = story("thousand-sensors", tmp_path, f"seed={seed}", *changes, strategy=FLEETS)
    up = tables["transfers"].query("direction == 'up'")
    spent = (up["payload_bytes"] + up["header_bytes"]).sum()
    assert 0.9 * 120_000 < spent <= 120_000
    assert summary["withheld_samples"] + summary["waiting_samples"] > 0
    assert len(set(tables["batches"]["device"])) > 200
    counts = tables["cloud"]["accelerators"]
    assert counts.max() == 4 and counts.iloc[0] == counts.iloc[-1] == 1
    assert {"accelerator_starting", "accelerator_ready", "accelerator_stopped"} <= set(
        tables["cloud"]["event"]
    )
    updates = tables["updates"]
    assert (updates["start_s"] > updates["ready_s"]).sum() > 4  # uploads and steps that waited
    running = [(updates["start_s"] <= start) & (start < updates["finish_s"]) for start in updates["start_s"]]
    assert max(map(sum, running)) > 1  # steps of several students at a time
    arrivals = [steps["ready_s"].dropna() for _, steps in updates.sort_values("step").groupby("student")]
    assert not all(
        each.is_monotonic_increasing for each in arrivals
    )  # of those that wait, not the first goes first
