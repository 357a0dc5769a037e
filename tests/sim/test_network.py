"""Golden traces of what a network does to messages: a byte takes a millisecond, unless it is said otherwise."""

import pyarrow.parquet as pq
import pytest

from scenarios.network import Link as LinkSettings
from sim.clock import SECOND, Clock
from sim.messages import Message
from sim.network import Network
from sim.recorder import Recorder
from sim.streams import RandomStreams

BYTE_A_MILLISECOND = 0.008
PLAIN = {
    "uplink_mbps": BYTE_A_MILLISECOND,
    "downlink_mbps": BYTE_A_MILLISECOND,
    "packet_bytes": 1000,
    "header_bytes": 0,
}


class Country:
    """The network of a scenario with these links, one device for each, and what its devices and cloud receive."""

    def __init__(self, tiny, folder, links, duration_s=20.0, **more):
        groups = {name: tiny.group(link=PLAIN | link) for name, link in links.items()}
        self.scenario = tiny.scenario(groups=groups, duration_s=duration_s, **more)
        self.folder, self.clock, self.received = folder, Clock(), []
        self.recorder = Recorder(folder)
        streams = RandomStreams(0)
        self.network = Network(self.scenario, self.clock, streams, self.recorder.transfers)
        self.ways = {
            name: self.network.links(f"{name}-0", name, group.link, self._hear("cloud"), self._hear(name))
            for name, group in self.scenario.groups.items()
        }

    def _hear(self, name):
        return lambda message: self.received.append((self.clock.time / SECOND, name, message.device))

    def send_at(self, time_s, link, size, name="", kind="samples", information=0.0):
        message = Message(kind, name, b"", information=information)
        self.clock.call_at(round(time_s * SECOND), lambda: link.send(size, message))

    def up(self, group, *messages):
        """Send messages of a time and a size each over a device's uplink."""
        for number, (time_s, size, *information) in enumerate(messages):
            self.send_at(time_s, self.ways[group][0], size, str(number), "samples", *information)
        return self

    def rows(self, *columns):
        """Let time pass to the end, and return the transfers by message and direction."""
        self.clock.run(until=round(self.scenario.duration_s * SECOND))
        with self.recorder:
            for links in self.ways.values():
                for link in links:
                    for transfer in link.unfinished:
                        link.observe(transfer)
        table = pq.read_table(self.folder / "transfers.parquet").to_pylist()
        table.sort(key=lambda row: (row["device"], row["direction"], row["message"]))
        return [tuple(row[column] for column in columns) for row in table]


TIMES = ("status", "start_s", "sent_s", "attempts", "retransmitted_bytes")


def test_an_outage_pauses_what_is_being_sent(tiny, tmp_path):
    """Two of three seconds are sent when it begins; the last goes afterwards, and the next message behind it."""
    link = {"outages": {"scheduled_s": [[2, 5]]}}
    country = Country(tiny, tmp_path, {"town": link}).up("town", (0, 3000), (1, 500))
    assert country.rows(*TIMES) == [("delivered", 0, 6, 1, 0), ("delivered", 6, 6.5, 1, 0)]


def test_an_outage_makes_an_attempt_fail(tiny, tmp_path):
    """Two seconds are lost; attempts at 3 and 5 find it down and up, and the whole message takes three seconds."""
    link = {"outages": {"scheduled_s": [[2, 4]]}, "on_outage": "retry"}
    country = Country(tiny, tmp_path, {"town": link}).up("town", (0, 3000))
    assert country.rows(*TIMES) == [("delivered", 0, 8, 3, 2000)]


def test_a_message_is_given_up_after_its_last_attempt(tiny, tmp_path):
    """Attempts at 0, 3 and 5; the next message begins when the last has failed, and waits with pauses of its own."""
    link = {
        "outages": {"scheduled_s": [[2, 6]]},
        "on_outage": "retry",
        "retry": {"most_attempts": 3},
    }
    country = Country(tiny, tmp_path, {"town": link}).up("town", (0, 3000), (1, 100))
    assert country.rows("status", "attempts", "retransmitted_bytes", "delivered_s") == [
        ("failed", 3, 2000, None),
        ("delivered", 2, 0, 6.1),
    ]


@pytest.mark.parametrize(
    ("overflow", "delivered"),
    [("drop_oldest", "023"), ("drop_newest", "012"), ("drop_least_informative", "013")],
)
def test_a_full_outbox_drops_by_its_policy(tiny, tmp_path, overflow, delivered):
    """The first is being sent while the others wait, of which two can."""
    link = {"outbox": {"messages": 2, "overflow": overflow}}
    country = Country(tiny, tmp_path, {"town": link})
    country.up("town", (0, 1000), (0.1, 500, 2.0), (0.2, 500, 1.0), (0.3, 500, 3.0))
    statuses = country.rows("status")
    assert [name for _, _, name in country.received] == list(delivered)
    assert statuses.count(("dropped",)) == 1
    ledger = country.ways["town"][0].ledger
    assert (ledger.delivered, ledger.dropped) == (2000, 500)


@pytest.mark.parametrize(("superseded", "delivered"), [("keep", "0123"), ("drop", "023"), ("replace", "032")])
def test_a_version_that_waits_is_superseded(tiny, tmp_path, superseded, delivered):
    country = Country(tiny, tmp_path, {"town": {"superseded": superseded}})
    down = country.ways["town"][1]
    for number, kind in enumerate(("update", "update", "answer", "update")):
        country.send_at(0.1 * number, down, 500, str(number), kind)
    country.rows()
    assert "".join(name for _, _, name in country.received) == delivered


def test_a_region_takes_down_the_links_of_several_groups(tiny, tmp_path):
    links = {"town": {"region": "north"}, "village": {"region": "north"}, "wood": {}}
    regions = {"north": {"outages": {"scheduled_s": [[0.5, 2]]}}}
    country = Country(tiny, tmp_path, links, regions=regions)
    for group in links:
        country.up(group, (0, 1000))
    assert country.rows("device", "sent_s") == [("town-0", 2.5), ("village-0", 2.5), ("wood-0", 1.0)]


def test_packets_are_acknowledged_over_the_way_back(tiny, tmp_path):
    """Three packets up, 3 * 40 bytes back; nobody acknowledges an acknowledgement."""
    country = Country(tiny, tmp_path, {"town": {"acknowledgement_bytes": 40}}).up("town", (0, 2500))
    assert country.rows("direction", "kind", "payload_bytes", "header_bytes", "sent_s") == [
        ("down", "acknowledgement", 0, 120, 2.62),
        ("up", "samples", 2500, 0, 2.5),
    ]
    assert country.received == [(2.5, "cloud", "0")]


def test_a_channel_carries_a_version_once_at_the_lowest_limit(tiny, tmp_path):
    cells = {"hill": {"uplink_mbps": 1.0, "downlink_mbps": 1.0, "updates": "multicast"}}
    links = {"town": {"cell": "hill"}, "wood": {"cell": "hill", "downlink_mbps": BYTE_A_MILLISECOND / 2}}
    country = Country(tiny, tmp_path, links, cells=cells)
    settings = [LinkSettings.model_validate(PLAIN | link) for link in links.values()]
    channel = country.network.channel("hill", "fleet", settings, country._hear("all"))
    country.send_at(0, channel, 1000, "update", "update")
    assert country.rows("device", "group", "kind", "sent_s") == [("hill/fleet", None, "update", 2.0)]
    assert country.received == [(2.0, "all", "update")]


def test_tcp_is_no_faster_than_its_losses_allow(tiny, tmp_path):
    """1000 bytes / 0.1 s * sqrt(1.5 / 0.015) are 0.8 Mbit/s."""
    link = {"uplink_mbps": 100, "uplink_loss": 0.015, "mathis_rtt_ms": 100}
    country = Country(tiny, tmp_path, {"town": link})
    assert country.ways["town"][0].direction.bandwidth_mbps == pytest.approx(0.8)


@pytest.mark.parametrize("shared", [False, True])
def test_a_trace_is_followed_exactly(tiny, tmp_path, shared):
    """A byte a millisecond, none from 1 to 2, then two a millisecond: 1000 and 2000 bytes by 3 s."""
    trace = tiny.folder / "trace.csv"
    trace.write_text("time_s,mbps\n0,0.008\n1,0\n2,0.016\n")
    varies = {"model": "csv", "file": str(trace)}
    if shared:
        cells = {"hill": {"uplink_mbps": varies, "downlink_mbps": 1.0}}
        links = {"town": {"cell": "hill", "uplink_mbps": 1.0}}
        country = Country(tiny, tmp_path, links, cells=cells)
    else:
        country = Country(tiny, tmp_path, {"town": {"uplink_mbps": varies}})
    assert country.up("town", (0, 1500), (0, 1500)).rows("start_s", "sent_s") == [(0, 2.25), (2.25, 3.0)]


def test_no_message_overtakes_another_whatever_their_latencies(tiny, tmp_path):
    latency = {"distribution": "lognormal", "median_ms": 100, "sigma": 0.5}
    country = Country(tiny, tmp_path, {"town": {"latency_ms": latency, "uplink_mbps": 1000}})
    country.up("town", *((0.01 * number, 10) for number in range(100)))
    arrivals = country.rows("delivered_s")
    assert [int(name) for _, _, name in country.received] == sorted(int(n) for _, _, n in country.received)
    assert len(set(arrivals)) > 10
