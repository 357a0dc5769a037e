"""Whole runs of devices that join, leave, crash and come back."""

from __future__ import annotations

import struct
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.results import TABLES

STATUSES = ("predicted", "queued", "in_progress", "dropped", "damaged", "missed", "lost")
LIFE = {"mean_present_s": 3.0, "mean_absent_s": 1.0, "mean_up_s": 2.0, "mean_down_s": 1.0}
STRATEGIES = {
    "source": {"name": "source"},
    "cema": None,
    "offload": {"name": "offload"},
    "statistics_only": {"name": "statistics_only"},
    "tent_on_device": {"name": "tent_on_device"},
    "t3a": {"name": "t3a"},
}


def described(tiny, name):
    return STRATEGIES[name] or tiny.cema(statistics="distributed")


def slow(tiny, **changes):
    """A group of two devices that take 0.3 s for a batch, of which two come each second."""
    return tiny.group(count=2, compute={"gflops": 0.001, "overhead_ms": 250.0}, **changes)


def rows(folder, name="batches"):
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def world(folder):
    columns = ("arrival_s", "image", "label", "corruption", "severity")
    return {(row["device"], row["batch"]): [row[c] for c in columns] for row in rows(folder)}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("state", ["kept", "lost"])
def test_every_strategy_lives_through_it(tiny, tmp_path, name, state):
    life = LIFE | {"joins_s": {"from_s": 0.0, "to_s": 2.0}, "state": state}
    changes = {"strategy": described(tiny, name), "duration_s": 20.0, "resets_s": [9.0]}
    folder = tiny.run(tmp_path / "a", groups={"cameras": slow(tiny, life=life)}, **changes)
    statuses = {row["status"] for row in rows(folder)}
    assert {"predicted", "missed", "lost"} <= statuses
    for device in rows(folder, "devices"):
        own = [row for row in rows(folder) if row["device"] == device["device"]]
        assert device["samples_arrived"] == sum(device[f"samples_{status}"] for status in STATUSES)
        for status in STATUSES:
            if status != "damaged":
                assert device[f"samples_{status}"] == sum(r["samples"] for r in own if r["status"] == status)
        assert 0 < device["present_s"] < 20
        assert device["busy_s"] <= device["present_s"]
    again = tiny.run(tmp_path / "b", groups={"cameras": slow(tiny, life=life)}, **changes)
    for table in TABLES:
        assert pq.read_table(folder / table).equals(pq.read_table(again / table)), table


def test_devices_see_the_same_world_whatever_their_life(tiny, tmp_path):
    group = slow(tiny, schedule=[{"duration_s": 3.0}, {"corruption": "gaussian_noise", "severity": 3}])
    whole, short = (
        tiny.run(tmp_path / name, groups={"cameras": group | changes})
        for name, changes in (("whole", {}), ("short", {"life": LIFE}))
    )
    assert world(whole) == world(short)
    assert {row["status"] for row in rows(short)} >= {"missed", "lost"}


def test_a_device_says_which_version_it_holds(tiny, tmp_path):
    group = slow(tiny, life={"crashes_s": [5.0], "restart_s": 1.0})
    simulation = tiny.simulation(tiny.scenario(strategy=tiny.cema(), groups={"cameras": group}), tmp_path)
    heard = []
    simulation.cloud.receive = lambda message, receive=simulation.cloud.receive: (
        heard.append(message),
        receive(message),
    )
    with simulation.recorder, simulation.executor:
        simulation.run(slices=1)
        simulation.finish()
    joins = {
        message.device: struct.unpack("<I", message.payload) for message in heard if message.kind == "join"
    }
    held = {
        row["device"]: (row["version"],)
        for row in sorted(rows(tmp_path), key=lambda row: row["start_s"] or 0)
        if row["start_s"] is not None and row["start_s"] < 5
    }
    assert set(joins) == set(held) == {"cameras-0", "cameras-1"}
    assert all(joins[device] >= held[device] > (0,) for device in joins)


TIMES = st.floats(0.05, 8.0)
LIVES = st.fixed_dictionaries(
    {
        "joins_s": st.just(0.0) | st.floats(0.0, 3.0),
        "mean_up_s": TIMES,
        "mean_down_s": TIMES,
        "mean_present_s": TIMES,
        "mean_absent_s": TIMES,
        "state": st.sampled_from(["kept", "lost"]),
    }
)


@pytest.mark.parametrize("name", ["source", "cema", "offload"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=LIVES, seed=st.integers(0, 999), skip_after_s=st.none() | st.floats(0.0, 1.0))
def test_samples_balance_at_any_time_of_any_life(tiny, tmp_path_factory, name, life, seed, skip_after_s):
    folder = tmp_path_factory.mktemp("life")
    group = slow(
        tiny,
        stream={"rate_hz": 4.0, "batch_size": 2},
        queue={"capacity": 2, "skip_after_s": skip_after_s},
        life=life,
    )
    scenario = tiny.scenario(
        strategy=described(tiny, name), groups={"cameras": group}, seed=seed, resets_s=[4.0]
    )
    simulation = tiny.simulation(scenario, folder)

    def check(_):
        for device in simulation.devices.values():
            counts = asdict(device.counts)
            assert counts["arrived"] == sum(counts[status] for status in STATUSES)
            assert min(counts.values()) >= 0
            assert counts["queued"] == sum(len(batch) for batch, _ in device.queue)
            assert 0 <= device.presence.present(simulation.clock.time) <= simulation.clock.time

    with simulation.recorder, simulation.executor:
        simulation.run(check, slices=400)
        simulation.finish()
    arrived = {
        (row["device"], row["version"], row["kind"]): row["delivered_s"]
        for row in sorted(
            rows(folder, "transfers"), key=lambda row: -row["message"]
        )  # the first of a version last
    }
    for row in rows(folder):
        assert row["start_s"] is None or row["arrival_s"] <= row["start_s"]
        if row["completion_s"] is not None:
            assert row["start_s"] <= row["completion_s"]
        if row["version"]:
            assert arrived[row["device"], row["version"], "update"] <= row["start_s"]
            assert row["version_age_s"] >= 0
            assert row["versions_behind"] >= 0


def late_at_a_channel(tiny, folder, **life):
    """Run two devices, and one that comes at 8 s, which get versions together.

    A byte takes 10 ms, and one version is published.

    Return the versions that went down: to whom, when they were handed over and when they arrived; and all batches of
    the late device, with their versions.
    """
    link = {"uplink_mbps": float("inf"), "downlink_mbps": 0.0008, "header_bytes": 0, "cell": "town"}
    one = {"stream": {"rate_hz": 1.0, "batch_size": 2, "phase": "zero"}, "link": link, "upload_codec": "raw"}
    one["compute"] = {"gflops": float("inf"), "overhead_ms": 250.0}
    groups = {"a": tiny.group(**one, count=2), "late": tiny.group(**one, life={"joins_s": 8.0} | life)}
    cell = {"uplink_mbps": float("inf"), "downlink_mbps": 0.0008, "updates": "multicast"}
    tiny.run(
        folder,
        duration_s=13.0,
        groups=groups,
        cells={"town": cell},
        strategy=tiny.cema(statistics="source", publish_every_steps=8, replay={"capacity": 0}),
        cloud={"gflops": float("inf"), "update_codec": "fp16"},
    )
    updates = [
        (row["device"], row["queued_s"], row["delivered_s"])
        for row in rows(folder, "transfers")
        if row["kind"] == "update"
    ]
    late = sorted((row["arrival_s"], row["version"]) for row in rows(folder) if row["device"] == "late-0")
    return updates, late


def test_what_is_on_its_way_to_several_devices_is_not_sent_to_one_that_joins(tiny, tmp_path):
    updates, late = late_at_a_channel(tiny, tmp_path)
    assert updates == [("town/fleet", 7.25, 8.69)]
    assert late[8:] == [(8.0, 0), (9.0, 1), (10.0, 1), (11.0, 1), (12.0, 1)]


def test_a_device_that_is_away_when_a_version_arrives_is_sent_it_once_it_is_back(tiny, tmp_path):
    """It crashes at 8.5 s, when it has said that it is there and while the version is on its way."""
    updates, late = late_at_a_channel(tiny, tmp_path, crashes_s=[8.5], restart_s=2.0)
    assert updates == [("town/fleet", 7.25, 8.69), ("late-0", 10.5, 11.94)]
    assert late[8:] == [(8.0, 0), (9.0, None), (10.0, None), (11.0, 0), (12.0, 1)]
