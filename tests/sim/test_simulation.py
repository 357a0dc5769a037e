from __future__ import annotations

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from scenarios.network import Link
from sim.link import Direction
from sim.network import direction_of
from sim.results import TABLES

NOISE = {"corruption": "gaussian_noise", "severity": 3}
STATES = ("queued", "sent", "delivered", "lost", "in_flight")


def strained(tiny, **changes):
    """A group whose device and link cannot keep up: batches are dropped, messages wait and are lost."""
    return tiny.group(
        count=2,
        compute={"gflops": 0.0001},
        queue={"capacity": 2},
        schedule=[{"duration_s": 3.0}, NOISE],
        link={
            "uplink_mbps": 0.002,
            "downlink_mbps": 0.0005,
            "latency_ms": 300.0,
            "jitter_ms": 100.0,
            "loss": 0.2,
            "packet_bytes": 50,
            "header_bytes": 5,
        },
        **changes,
    )


@pytest.fixture(params=["source", "cema"])
def strategy(request, tiny):
    return {"source": {"name": "source"}, "cema": tiny.cema()}[request.param]


def tables(folder):
    return {name: pq.read_table(folder / name) for name in TABLES}


def seen(folder, *columns):
    """Return the given columns of each batch, by device and number."""
    rows = pq.read_table(folder / "batches.parquet").to_pylist()
    return {(row["device"], row["batch"]): [row[column] for column in columns] for row in rows}


def test_one_seed_gives_one_result(tiny, tmp_path, strategy):
    runs = [
        tiny.run(tmp_path / name, strategy=strategy, groups={"cameras": strained(tiny)})
        for name in ("a", "b")
    ]
    first, second = map(tables, runs)
    assert len(first["batches.parquet"]) == 40
    for name in TABLES:
        assert first[name].equals(second[name]), name


def test_another_seed_gives_another_result(tiny, tmp_path):
    runs = [tiny.run(tmp_path / str(seed), seed=seed) for seed in (7, 8)]
    first, second = (seen(folder, "arrival_s", "image") for folder in runs)
    assert all(first[key] != second[key] for key in first.keys() & second.keys())


@pytest.mark.parametrize("slices", [7, 333])
def test_slicing_the_run_changes_nothing(tiny, tmp_path, slices):
    changes = {"strategy": tiny.cema(), "groups": {"cameras": strained(tiny)}}
    whole = tables(tiny.run(tmp_path / "whole", **changes))
    simulation = tiny.simulation(tiny.scenario(**changes), tmp_path / "sliced")
    with simulation.recorder:
        simulation.run(slices=slices)
        simulation.finish()
    sliced = tables(tmp_path / "sliced")
    for name in TABLES:
        assert whole[name].equals(sliced[name]), name


def test_strategies_see_the_same_images_at_the_same_moments(tiny, tmp_path):
    groups = {"cameras": strained(tiny), "others": tiny.group(stream={"rate_hz": 1.5, "arrival": "poisson"})}
    source, cema = (
        seen(
            tiny.run(tmp_path / strategy["name"], strategy=strategy, groups=groups),
            "arrival_s",
            "image",
            "label",
            "corruption",
            "severity",
        )
        for strategy in ({"name": "source"}, tiny.cema())
    )
    assert len(source) > 40
    assert source == cema


@pytest.mark.parametrize("more", ["device", "group"])
def test_other_devices_change_nothing_in_what_a_device_sees(tiny, tmp_path, strategy, more):
    few = {"cameras": tiny.group(count=2, schedule=[NOISE])}
    many = {
        "device": {"cameras": tiny.group(count=3, schedule=[NOISE])},
        "group": {"another": tiny.group(count=2), **few},
    }[more]
    columns = ["arrival_s", "image", "corruption"]
    if strategy["name"] == "source":  # then the predictions do not change either
        columns += ["start_s", "completion_s", "prediction", "entropy"]
    before, after = (
        seen(tiny.run(tmp_path / name, strategy=strategy, groups=groups, duration_s=5.0), *columns)
        for name, groups in (("few", few), ("many", many))
    )
    assert 20 == len(before) < len(after)
    assert {key: after[key] for key in before} == before


def test_more_bandwidth_changes_nothing_in_what_a_device_sees(tiny, tmp_path):
    runs = [
        tiny.run(
            tmp_path / str(mbps),
            strategy=tiny.cema(),
            groups={"cameras": tiny.group(link={"uplink_mbps": mbps, "downlink_mbps": mbps})},
        )
        for mbps in (0.01, 100.0)
    ]
    slow, fast = (seen(folder, "arrival_s", "image") for folder in runs)
    assert slow == fast


def test_samples_and_bytes_balance_at_any_time(tiny, tmp_path):
    scenario = tiny.scenario(strategy=tiny.cema(), groups={"cameras": strained(tiny)})
    simulation = tiny.simulation(scenario, tmp_path)
    extremes = dict.fromkeys(("dropped", "in_progress", *STATES), 0)

    def check(_):
        for device in simulation.devices.values():
            counts = device.counts
            assert counts.arrived == counts.predicted + counts.queued + counts.in_progress + counts.dropped
            assert counts.queued == sum(map(len, device.queue))
            for name in ("dropped", "in_progress"):
                extremes[name] = max(extremes[name], getattr(counts, name))
        for link in (*simulation.uplinks.values(), *simulation.downlinks.values()):
            ledger = link.ledger
            assert ledger.sent == ledger.delivered + ledger.lost + ledger.in_flight
            assert min(vars(ledger).values()) >= 0
            for name in STATES:
                extremes[name] = max(extremes[name], getattr(ledger, name))

    with simulation.recorder:
        simulation.run(check, slices=2000)
    assert all(extremes.values()), extremes  # every state has occurred


def test_tables_add_up_to_the_account_of_each_device(tiny, tmp_path):
    folder = tiny.run(tmp_path, strategy=tiny.cema(), groups={"cameras": strained(tiny)})
    read = {name: table.to_pylist() for name, table in tables(folder).items()}
    occurred = set()
    for device in read["devices.parquet"]:
        batches = [row for row in read["batches.parquet"] if row["device"] == device["device"]]
        for status in ("predicted", "queued", "in_progress", "dropped"):
            total = sum(row["samples"] for row in batches if row["status"] == status)
            assert device[f"samples_{status}"] == total
        assert device["samples_arrived"] == sum(row["samples"] for row in batches)
        assert device["samples_correct"] == sum(row["correct"] or 0 for row in batches)
        assert device["flops"] == sum(row["flops"] for row in batches)
        for way in ("up", "down"):
            transfers = [
                row
                for row in read["transfers.parquet"]
                if (row["device"], row["direction"]) == (device["device"], way)
            ]
            assert sorted(row["message"] for row in transfers) == list(range(len(transfers)))
            account = ledger_of(transfers)
            assert {state: device[f"{way}link_{state}_bytes"] for state in STATES} == account
            occurred |= {(way, state) for state, total in account.items() if total}
        uploads = [
            r for r in read["transfers.parquet"] if r["device"] == device["device"] and r["kind"] == "samples"
        ]
        assert device["samples_uploaded"] == sum(row["samples"] for row in uploads)
        assert device["samples_dropped"] > 0
    assert occurred == {(way, state) for way in ("up", "down") for state in STATES}


def ledger_of(transfers):
    """What the account of a link must say after these transfers."""
    account = dict.fromkeys(STATES, 0)
    for row in transfers:
        arriving, lost = row["payload_bytes"] + row["header_bytes"], row["retransmitted_bytes"]
        if row["status"] == "queued":
            account["queued"] += arriving + lost
        else:
            account["sent"] += arriving + lost
        if row["status"] == "in_flight":
            account["in_flight"] += arriving + lost
        if row["status"] == "delivered":
            account["delivered"] += arriving
            account["lost"] += lost
    return account


def test_every_version_is_published_and_sent_once_to_every_device(tiny, tmp_path):
    folder = tiny.run(tmp_path, strategy=tiny.cema())
    steps = pq.read_table(folder / "updates.parquet").column("version").to_pylist()
    published = [version for version in steps if version is not None]
    assert published == list(range(1, len(published) + 1))
    assert len(published) > 5
    transfers = pq.read_table(folder / "transfers.parquet").to_pylist()
    for device in ("cameras-0", "cameras-1"):
        sent = sorted(
            row["version"] for row in transfers if row["device"] == device and row["direction"] == "down"
        )
        assert sent == published


def test_versions_arrive_before_they_are_used(tiny, tmp_path):
    folder = tiny.run(tmp_path, strategy=tiny.cema(), groups={"cameras": strained(tiny)})
    arrived = {
        (row["device"], row["version"]): row["delivered_s"]
        for row in pq.read_table(folder / "transfers.parquet").to_pylist()
        if row["version"] is not None
    }
    used = [row for row in pq.read_table(folder / "batches.parquet").to_pylist() if row["version"]]
    assert used
    assert all(arrived[row["device"], row["version"]] <= row["start_s"] for row in used)


def test_source_sends_nothing(tiny, tmp_path):
    read = tables(tiny.run(tmp_path))
    assert len(read["transfers.parquet"]) == len(read["updates.parquet"]) == 0
    assert pc.unique(read["batches.parquet"].column("version")).to_pylist() == [0]


def test_devices_are_named_by_group_and_number(tiny, tmp_path):
    groups = {"b": tiny.group(count=2), "a": tiny.group()}
    devices = tables(tiny.run(tmp_path, groups=groups))["devices.parquet"].to_pylist()
    assert [(row["device"], row["group"]) for row in devices] == [("b-0", "b"), ("b-1", "b"), ("a-0", "a")]


def test_nothing_happens_beyond_the_end(tiny, tmp_path):
    folder = tiny.run(tmp_path, duration_s=3.3)
    batches = tables(folder)["batches.parquet"]
    assert pc.max(batches.column("arrival_s")).as_py() < 3.3
    assert pc.max(batches.column("completion_s")).as_py() < 3.3


def test_progress(tiny, tmp_path):
    simulation = tiny.simulation(tiny.scenario(strategy=tiny.cema()), tmp_path)
    reports = []
    with simulation.recorder:
        simulation.run(reports.append, slices=5)
    assert [report.simulated_s for report in reports] == [2.0, 4.0, 6.0, 8.0, 10.0]
    last = reports[-1]
    counts = [device.counts for device in simulation.devices.values()]
    assert last.samples == sum(count.predicted for count in counts)
    assert last.accuracy == sum(count.correct for count in counts) / last.samples
    assert last.uplink_bytes == sum(link.ledger.sent for link in simulation.uplinks.values()) > 0
    assert last.downlink_bytes == sum(link.ledger.sent for link in simulation.downlinks.values()) > 0


def test_directions_of_a_link():
    link = Link(
        uplink_mbps=1.0, downlink_mbps=2.0, latency_ms=5.0, loss=0.1, uplink_latency_ms=0.0, downlink_loss=0.2
    )
    assert direction_of(link, "up") == Direction(1.0, latency_ms=0.0, loss=0.1)
    assert direction_of(link, "down") == Direction(2.0, latency_ms=5.0, loss=0.2)


def test_a_reset_begins_anew_from_the_deployed_models(tiny, tmp_path):
    """From the reset on, the fleet does what it would do on the same images, had it never seen any before."""
    link = {"uplink_mbps": float("inf"), "downlink_mbps": float("inf")}
    changes = {
        "strategy": tiny.cema(),
        "groups": {"cameras": tiny.group(count=1, link=link, compute={"gflops": float("inf")})},
        "cloud": {"gflops": float("inf")},
    }
    folder = tiny.run(tmp_path / "reset", resets_s=[5.0], **changes)
    rows = pq.read_table(folder / "batches.parquet").to_pylist()
    before = [row["version"] for row in rows if row["arrival_s"] < 5]
    after = [row["version"] for row in rows if row["arrival_s"] >= 5]
    assert before[-1] > 0
    assert after[0] == 0
    assert after[-1] > 0
    published = [row["version"] for row in pq.read_table(folder / "updates.parquet").to_pylist()]
    assert [version for version in published if version == 1] == [1, 1]
    source = tiny.run(tmp_path / "source", **changes | {"strategy": tiny.cema(publish_every_steps=10**6)})
    alone = seen(source, "entropy")
    assert seen(folder, "entropy")["cameras-0", len(before)] == alone["cameras-0", len(before)]
    assert seen(folder, "entropy")["cameras-0", len(before) - 1] != alone["cameras-0", len(before) - 1]


def test_balances_hold_across_a_reset_on_slow_links(tiny, tmp_path):
    folder = tiny.run(
        tmp_path, strategy=tiny.cema(), groups={"cameras": strained(tiny)}, resets_s=[2.0, 4.5, 7.0]
    )
    for device in pq.read_table(folder / "devices.parquet").to_pylist():
        for way in ("up", "down"):
            sent, delivered, lost, in_flight = (
                device[f"{way}link_{state}_bytes"] for state in ("sent", "delivered", "lost", "in_flight")
            )
            assert sent == delivered + lost + in_flight
        states = ("predicted", "queued", "in_progress", "dropped", "damaged")
        assert device["samples_arrived"] == sum(device[f"samples_{state}"] for state in states)


def test_only_the_first_version_after_a_reset_follows_it(tiny, tmp_path):
    """Updates that were on their way when the reset came are not swapped in."""
    group = tiny.group(count=1, link={"uplink_mbps": 1.0, "downlink_mbps": 1.0, "latency_ms": 900.0})
    folder = tiny.run(tmp_path, strategy=tiny.cema(), groups={"cameras": group}, resets_s=[5.0])
    versions = [
        row["version"]
        for row in pq.read_table(folder / "batches.parquet").to_pylist()
        if row["start_s"] is not None and row["start_s"] >= 5
    ]
    assert versions == sorted(versions)
    assert versions[0] == 0


def test_a_model_with_layer_normalisation_alone_adapts_its_affine_parameters(tiny, tmp_path):
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    (tiny.folder / "normalised.py").write_text(
        "from torch import nn\n\n\n"
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 10))\n",
        encoding="utf-8",
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 10))
    save_file(network.state_dict(), str(tiny.folder / "normalised.safetensors"))
    model = {"factory": "normalised.py:build", "checkpoint": "normalised.safetensors", "num_classes": 10}
    model |= {"mean": [0.5], "std": [0.25]}
    for statistics in ("distributed", "device_batch"):
        folder = tiny.run(
            tmp_path / statistics,
            models={"edge": model, "foundation": model},
            strategy=tiny.cema(statistics=statistics),
        )
        versions = [row["version"] for row in pq.read_table(folder / "batches.parquet").to_pylist()]
        assert max(versions) > 2
        transfers = pq.read_table(folder / "transfers.parquet").to_pylist()
        assert {row["kind"] for row in transfers} == {"samples", "update"}  # there are no statistics to send
        assert {row["payload_bytes"] for row in transfers if row["kind"] == "update"} == {2 * 128}
