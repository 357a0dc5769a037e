from __future__ import annotations

import math
from dataclasses import dataclass, field

import pyarrow.parquet as pq
import pytest

from scenarios.fleet import Compute
from scenarios.network import Link as LinkSettings
from sim.clock import SECOND, Clock
from sim.energy import Airtime, energies
from sim.link import Direction, Link

PARTS = ("compute", "idle", "transmit", "receive")


def test_energy_is_power_times_time():
    compute = Compute(gflops=1.0, idle_w=2.0, busy_w=6.0)
    link = LinkSettings(uplink_mbps=1.0, downlink_mbps=1.0, transmit_w=1.5, receive_w=0.5)
    assert energies(compute, link, 10 * SECOND, 3 * SECOND, 2 * SECOND, SECOND) == {
        "energy_compute_j": 18.0,
        "energy_idle_j": 14.0,
        "energy_transmit_j": 3.0,
        "energy_receive_j": 0.5,
    }


def test_unknown_power_is_unknown_energy():
    compute, link = Compute(gflops=1.0, busy_w=6.0), LinkSettings(uplink_mbps=1.0, downlink_mbps=1.0)
    assert energies(compute, link, 10 * SECOND, 3 * SECOND, 0, 0) == {
        "energy_compute_j": 18.0,
        "energy_idle_j": None,
        "energy_transmit_j": None,
        "energy_receive_j": None,
    }


@dataclass
class Seen:
    messages: list = field(default_factory=list)

    def __call__(self, transfer):
        self.messages.append(transfer.message)


def test_airtime_is_that_of_the_bits_on_their_way_out_up_to_now():
    """A thousand bits a second; three messages of 2 s each, the first two at once, and the third at 10."""
    clock, seen = Clock(), Seen()
    direction = Direction(0.001, latency_ms=500.0, packet_bytes=250, header_bytes=0)
    link = Link(clock, direction, None, lambda _: None, seen)
    airtime = Airtime(link)
    for time in (0, 0, 10):
        clock.call_at(time * SECOND, lambda: link.send(250, None))
    clock.run(until=11 * SECOND)
    assert airtime.total == 4 * SECOND
    for transfer in link.unfinished:
        link.observe(transfer)
    assert airtime.total == 5 * SECOND
    assert seen.messages == [0, 1, 2]


def test_a_message_that_waits_for_its_turn_takes_no_airtime():
    clock = Clock()
    link = Link(
        clock, Direction(0.001, packet_bytes=250, header_bytes=0), None, lambda _: None, lambda _: None
    )
    airtime = Airtime(link)
    for _ in range(2):
        link.send(250, None)
    clock.run(until=SECOND)
    for transfer in link.unfinished:
        link.observe(transfer)
    assert airtime.total == SECOND


AWAY = [(0.0, 1.0), (3.0, 4.5), (6.0, 7.5)]


@pytest.mark.parametrize("cell", [None, "tower"])
def test_the_account_is_that_of_the_tables(tiny, tmp_path, cell):
    """Of the two devices' transfers, those that the end finds on their way count up to it, but not absences."""
    link = {"uplink_mbps": 0.01, "downlink_mbps": 0.02, "latency_ms": 20.0, "loss": 0.1, "cell": cell}
    group = tiny.group(
        count=2,
        compute={"gflops": 0.001, "idle_w": 1.25, "busy_w": 3.5},
        link=link | {"transmit_w": 0.75, "receive_w": 0.25},
        life={"joins_s": 1.0, "crashes_s": [3.0, 6.0], "restart_s": 1.5},
    )
    cells = {"tower": {"uplink_mbps": 0.015, "downlink_mbps": 0.03}} if cell else {}
    folder = tiny.run(
        tmp_path, strategy=tiny.cema(), groups={"cameras": group}, cells=cells, cloud={"gflops": 10.0}
    )
    transfers = pq.read_table(folder / "transfers.parquet").to_pylist()
    for device in pq.read_table(folder / "devices.parquet").to_pylist():
        spent = dict.fromkeys(("up", "down"), 0.0)
        for row in transfers:
            if row["device"] == device["device"] and row["start_s"] is not None:
                sent_s = 10.0 if row["sent_s"] is None else min(row["sent_s"], 10.0)
                away = sum(
                    max(0.0, min(sent_s, end_s) - max(row["start_s"], begin_s)) for begin_s, end_s in AWAY
                )
                spent[row["direction"]] += sent_s - row["start_s"] - away
        assert min(spent.values()) > 0
        assert device["present_s"] == 10.0 - 1.0 - 2 * 1.5
        assert device["energy_compute_j"] == pytest.approx(3.5 * device["busy_s"])
        assert device["energy_idle_j"] == pytest.approx(1.25 * (6.0 - device["busy_s"]))
        assert device["energy_transmit_j"] == pytest.approx(0.75 * spent["up"])
        assert device["energy_receive_j"] == pytest.approx(0.25 * spent["down"])


def test_a_pass_that_the_end_finds_in_progress_counts_up_to_it(tiny, tmp_path):
    """It takes 30 s and begins with the run, which ends at 10 s."""
    compute = {"gflops": math.inf, "overhead_ms": 30_000.0, "busy_w": 5.0, "idle_w": 2.0}
    stream = {"rate_hz": 1.0, "batch_size": 2, "phase": "zero"}
    folder = tiny.run(tmp_path, groups={"cameras": tiny.group(compute=compute, stream=stream)})
    (device,) = pq.read_table(folder / "devices.parquet").to_pylist()
    assert (device["busy_s"], device["flops"]) == (10.0, 0)
    assert (device["energy_compute_j"], device["energy_idle_j"]) == (50.0, 0.0)


def test_without_powers_there_is_no_account(tiny, tmp_path):
    folder = tiny.run(tmp_path, duration_s=1.0)
    for device in pq.read_table(folder / "devices.parquet").to_pylist():
        assert [device[f"energy_{part}_j"] for part in PARTS] == [None] * 4


def test_every_device_of_a_cell_receives_what_goes_to_all_of_them(tiny, tmp_path):
    link = {"uplink_mbps": 1.0, "downlink_mbps": 0.01, "receive_w": 2.0, "cell": "town"}
    cells = {"town": {"uplink_mbps": 1.0, "downlink_mbps": 1.0, "updates": "multicast"}}
    groups = {"cameras": tiny.group(count=2, link=link)}
    folder = tiny.run(tmp_path, strategy=tiny.cema(), cells=cells, groups=groups)
    transfers = pq.read_table(folder / "transfers.parquet").to_pylist()
    channel = [row for row in transfers if row["device"] == "town/fleet" and row["start_s"] is not None]
    spent_s = sum(min(row["sent_s"] or 10.0, 10.0) - row["start_s"] for row in channel)
    assert spent_s > 0
    devices = pq.read_table(folder / "devices.parquet").to_pylist()
    assert [row["energy_receive_j"] for row in devices] == [pytest.approx(2.0 * spent_s)] * 2
