from __future__ import annotations

import pytest

from sim.bench import network
from sim.bench.minimal_network import MinimalCell, MinimalLinks

DEVICES = 20
DURATION_S = 30
MINIMAL = {
    False: lambda: MinimalLinks(network.turns(DEVICES), 82_240 / 0.2e6, 8_320 / 0.02e6, network.LATENCY_S),
    True: lambda: MinimalCell(
        network.turns(DEVICES), (82_240, 8_320), (0.1e6 * DEVICES, 0.012e6 * DEVICES), network.LATENCY_S
    ),
}


def test_messages_on_the_wire():
    assert [network.wire_bits(size) for size in (network.UP_BYTES, network.DOWN_BYTES)] == [82_240, 8_320]


def test_devices_send_every_second_at_two_phases_in_turn():
    for first, *waits in network.turns(DEVICES):
        assert 0 <= first < 1
        assert min(waits) > 0
        assert sum(waits) == pytest.approx(2)


@pytest.mark.parametrize("in_a_cell", [False, True])
def test_both_sides_carry_the_same_traffic(in_a_cell):
    ours, minimal = network.Fleet(DEVICES, in_a_cell), MINIMAL[in_a_cell]()
    for side in (ours, minimal):
        side.run(DURATION_S)
    assert (
        abs(ours.answered - minimal.answered) <= 2
    )  # at the limit of 1 Mbit/s, which the minimal cell has not
    assert ours.answered > 0.9 * DEVICES * DURATION_S


@pytest.mark.parametrize("devices", network.FLEETS)
def test_some_devices_send_again_while_their_private_link_is_busy(devices):
    busy_s = network.wire_bits(network.UP_BYTES) / (network.PRIVATE_MBPS[0] * 1e6)
    queueing = sum(min(waits) < busy_s for _, *waits in network.turns(devices))
    assert 0.1 < queueing / devices < 0.3


def test_transfers_are_recorded(tmp_path):
    import pyarrow.parquet as pq  # noqa: PLC0415

    with network.Recorder(tmp_path) as recorder:
        fleet = network.Fleet(2, True, recorder)
        fleet.run(10)
    rows = pq.read_table(tmp_path / "transfers.parquet").to_pylist()
    assert sum(row["direction"] == "down" for row in rows) == fleet.answered > 15


def test_every_figure_of_every_fleet(monkeypatch):
    monkeypatch.setattr(network, "FLEETS", (2, 3))
    monkeypatch.setattr(network, "ROUND_TRIPS", 12)
    told = []
    result = network.measure(2, told.append)
    assert (result.benchmark, len(result.figures), len(told)) == (network.NAME, 12, 4 * 3 * 3)
    names = [figure.name for figure in result.figures[:3]]
    base = "private links, 2 devices"
    assert names == [base, f"{base}, over minimal SimPy", f"{base}, recorded"]
    assert all(figure.value > 0 and len(figure.rounds) == 2 for figure in result.figures)
    assert [figure.target for figure in result.figures[:6]] == [100_000, 0.6, None, 60_000, 0.6, None]
