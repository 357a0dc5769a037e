"""The packaged scenarios that tell a story, each in a short form in which what it is about happens."""

import pandas as pd
import pytest

from analysis.summary import summarise
from scenarios import loader
from sim.run import Options, run_scenario

CEMA = "strategy=[{name: cema, preset: paper, statistics: source}]"


def story(name, folder, *changes):
    """Run a scenario with changes, and return its summary and tables."""
    run_scenario(loader.load(name, [CEMA, *changes]), folder, Options(device="cpu", figures=False))
    tables = {each: pd.read_parquet(folder / f"{each}.parquet") for each in ("batches", "transfers", "cloud")}
    return summarise(folder), tables


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
    """What a station hands over never exceeds its allowance for the time so far."""
    summary, tables = story("satellite-farm", tmp_path, "duration_s=140", "groups.stations.count=2")
    budget = loader.load("satellite-farm").budgets["daily"]
    up = tables["transfers"].query("direction == 'up'").sort_values("queued_s")
    spent = (up["payload_bytes"] + up["header_bytes"]).groupby(up["device"]).cumsum()
    allowed = budget.ahead_bytes + budget.allowance_bytes * up["queued_s"] / budget.period_s
    assert (spent <= allowed.clip(upper=budget.allowance_bytes)).all()
    assert spent.groupby(up["device"]).max().min() > 0.8 * allowed.max()
    assert summary["withheld_samples"] > 0 and summary["waiting_samples"] > 0


def test_flaky_fleet(tmp_path):
    """Devices and the cloud fail, messages are sent again, and who comes back gets the newest version."""
    summary, tables = story(
        "flaky-fleet",
        tmp_path,
        "duration_s=100",
        "groups.robots.life.mean_up_s=60",
        "groups.robots.link.outages.mean_up_s=20",
        "cloud.crashes.at_s=[50]",
        "cloud.crashes.checkpoint_every_s=20",
        "cloud.crashes.restart_s=15",
    )
    transfers = tables["transfers"]
    assert summary["missed_samples"] > 0 and summary["lost_by_cloud_samples"] > 0
    assert transfers["attempts"].max() > 1
    assert {"checkpoint", "crashed", "restarted"} <= set(tables["cloud"]["event"])
    assert "join" in set(transfers["kind"])
    numbers = transfers[(transfers["kind"] == "update") & (transfers["status"] == "delivered")]
    assert all(versions.is_monotonic_increasing for _, versions in numbers.groupby("device")["version"])


@pytest.mark.parametrize("seed", [0, 1])
def test_thousand_sensors(tmp_path, seed):
    """One budget holds for all devices together at any time, and most of it is used."""
    groups = [
        f"groups.{group}.{field}"
        for group in ("east", "west")
        for field in ("count=200", "stream.rate_hz=0.1")
    ]
    summary, tables = story("thousand-sensors", tmp_path, f"seed={seed}", "duration_s=12", *groups)
    budget = loader.load("thousand-sensors").budgets["fleet"]
    up = tables["transfers"].query("direction == 'up'").sort_values("queued_s")
    spent = (up["payload_bytes"] + up["header_bytes"]).cumsum()
    room = budget.burst_bytes + 1000 * budget.rate_kbps / 8 * up["queued_s"]
    assert (spent <= room).all()
    assert spent.max() > 0.7 * room.max()
    assert summary["withheld_samples"] + summary["waiting_samples"] > 0
    assert len(set(tables["batches"]["device"])) > 200
