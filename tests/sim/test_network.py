"""Golden traces of what a network does to messages: a byte takes a millisecond, unless it is said otherwise."""

from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from scenarios.schema import Scenario
from sim.clock import SECOND, Clock
from sim.messages import Message
from sim.network import Network
from sim.outages import Outage, Outages
from sim.recorder import Recorder
from sim.streams import RandomStreams
from sim.transfer import Ledger

MINIMAL = yaml.safe_load((Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8"))
BYTE_A_MILLISECOND = 0.008
PLAIN = {
    "uplink_mbps": BYTE_A_MILLISECOND,
    "downlink_mbps": BYTE_A_MILLISECOND,
    "packet_bytes": 1000,
    "header_bytes": 0,
}
CELL = {"uplink_mbps": 1.0, "downlink_mbps": 1.0}


class Country:
    """The network of a scenario with these links, one device for each, and what its devices and cloud receive."""

    def __init__(self, folder, links, duration_s=20.0, absences=None, forgets=False, **more):
        groups = {name: MINIMAL["groups"]["lte"] | {"link": PLAIN | link} for name, link in links.items()}
        described = MINIMAL | {"groups": groups, "duration_s": duration_s} | more
        self.scenario = Scenario.model_validate(described)
        self.folder, self.clock, self.received = folder, Clock(), []
        self.recorder = Recorder(folder)
        streams = RandomStreams(self.scenario.seed)
        self.network = Network(self.scenario, self.clock, streams, self.recorder.transfers)
        self.ways = {
            name: self.network.links(
                f"{name}-0", name, group.link, self._hear("cloud"), self._hear(name), absences, forgets
            )
            for name, group in self.scenario.groups.items()
        }
        self.channels = {}

    def _hear(self, name):
        return lambda message: self.received.append((self.clock.time / SECOND, name, message.device))

    def channel(self, cell, student, *groups):
        """Let the devices of some groups get the versions of a student together, and return the channel."""
        settings = [self.scenario.groups[group].link for group in groups]
        name = f"all of {student}"
        self.channels[cell, student] = self.network.channel(cell, student, settings, self._hear(name))
        return self.channels[cell, student]

    def send_at(self, time_s, link, size, name="", kind="samples", information=0.0):
        message = Message(kind, name, b"", information=information)
        self.clock.call_at(round(time_s * SECOND), lambda: link.send(size, message))

    def up(self, group, *messages):
        """Send messages of a time and a size each, and perhaps of an information, over a device's uplink."""
        for number, (time_s, size, *information) in enumerate(messages):
            self.send_at(time_s, self.ways[group][0], size, str(number), "samples", *information)
        return self

    def down(self, group, *messages):
        """Send versions of a time and a size each over a device's downlink."""
        for number, (time_s, size) in enumerate(messages):
            self.send_at(time_s, self.ways[group][1], size, str(number), "update")
        return self

    def ledgers_at(self, time_s, group):
        """Let time pass, and return the accounts of a device's uplink and downlink."""
        self.clock.run(until=round(time_s * SECOND))
        return tuple(link.ledger for link in self.ways[group])

    def rows(self, *columns):
        """Let time pass to the end, and return the transfers by device, direction and message.

        They must agree with the accounts of the links.
        """
        self.clock.run(until=round(self.scenario.duration_s * SECOND))
        links = {
            (f"{name}-0", way): link
            for name, both in self.ways.items()
            for way, link in zip(("up", "down"), both, strict=True)
        }
        links |= {("/".join(name), "down"): channel for name, channel in self.channels.items()}
        with self.recorder:
            for link in links.values():
                for transfer in link.unfinished:
                    link.observe(transfer)
        table = pq.read_table(self.folder / "transfers.parquet").to_pylist()
        table.sort(key=lambda row: (row["device"], row["direction"], row["message"]))
        for name, link in links.items():
            own = [row for row in table if (row["device"], row["direction"]) == name]
            assert link.ledger == account(own)
        return [tuple(row[column] for column in columns) for row in table]


def account(rows):
    """Return the account of a link as the rows of its messages have it."""

    def total(columns, *statuses):
        return sum(row[column] for row in rows for column in columns if row["status"] in statuses)

    arriving = ("payload_bytes", "header_bytes")
    everything = (*arriving, "retransmitted_bytes")
    delivered = total(arriving, "delivered")
    lost = total(("retransmitted_bytes",), "delivered", "failed")
    in_flight = total(everything, "in_flight")
    return Ledger(
        queued=total(everything, "queued"),
        sent=delivered + lost + in_flight,
        delivered=delivered,
        lost=lost,
        in_flight=in_flight,
        dropped=total(everything, "dropped", "superseded") + total(arriving, "failed"),
    )


TRACE = ("message", "status", "attempts", "retransmitted_bytes", "start_s", "sent_s", "delivered_s")


def test_an_outage_pauses_what_is_being_sent(tmp_path):
    """Two of three seconds are sent when it begins; the last goes afterwards, and the next messages behind it."""
    link = {"outages": {"scheduled_s": [[2, 5]]}, "latency_ms": 250}
    country = Country(tmp_path, {"town": link}).up("town", (0, 3000), (1, 500), (4, 100))
    country.down("town", (1.5, 1000))
    assert country.ledgers_at(3, "town") == (
        Ledger(queued=500, sent=3000, in_flight=3000),
        Ledger(sent=1000, in_flight=1000),
    )
    assert country.rows("direction", *TRACE) == [
        ("down", 0, "delivered", 1, 0, 1.5, 5.5, 5.75),
        ("up", 0, "delivered", 1, 0, 0, 6, 6.25),
        ("up", 1, "delivered", 1, 0, 6, 6.5, 6.75),
        ("up", 2, "delivered", 1, 0, 6.5, 6.6, 6.85),
    ]
    assert country.received == [
        (5.75, "town", "0"),
        (6.25, "cloud", "0"),
        (6.75, "cloud", "1"),
        (6.85, "cloud", "2"),
    ]


def test_what_was_sent_before_an_outage_arrives_during_it(tmp_path):
    link = {"outages": {"scheduled_s": [[2, 5]]}, "latency_ms": 500}
    country = Country(tmp_path, {"town": link}).up("town", (0, 2000))
    assert country.rows(*TRACE) == [(0, "delivered", 1, 0, 0, 2, 2.5)]


def test_a_link_without_limit_takes_no_time_while_it_is_up(tmp_path):
    link = {"uplink_mbps": float("inf"), "outages": {"scheduled_s": [[1, 3]]}}
    country = Country(tmp_path, {"town": link}).up("town", (0.5, 10**9), (2, 10**9), (2.5, 1), (4, 1))
    assert country.rows(*TRACE) == [
        (0, "delivered", 1, 0, 0.5, 0.5, 0.5),
        (1, "delivered", 1, 0, 2, 3, 3),
        (2, "delivered", 1, 0, 3, 3, 3),
        (3, "delivered", 1, 0, 4, 4, 4),
    ]


def test_an_outage_too_short_for_the_clock_is_no_outage(tmp_path):
    link = {"outages": {"scheduled_s": [[1, 1.0000000001]]}}
    country = Country(tmp_path, {"town": link}).up("town", (0, 2000))
    assert country.rows(*TRACE) == [(0, "delivered", 1, 0, 0, 2, 2)]


def test_of_a_device_that_is_away_nothing_leaves_and_nothing_reaches_it(tmp_path):
    away = Outages(iter([Outage(SECOND // 2, 2 * SECOND)]))
    country = Country(tmp_path, {"town": {}}, absences=away).up("town", (0, 1000)).down("town", (1, 100))
    assert country.rows("direction", "start_s", "sent_s") == [("down", 1, 2.1), ("up", 0, 2.5)]


def test_an_outage_makes_an_attempt_fail(tmp_path):
    """Two seconds are lost, and attempts at 3 and 5 find it down and up: the whole message takes three seconds more.

    The next one loses a second at 9 s, and has another try at 10 s.
    """
    link = {"outages": {"scheduled_s": [[2, 4], [9, 9.5]]}, "on_outage": "retry"}
    country = Country(tmp_path, {"town": link}).up("town", (0, 3000), (1, 2000))
    assert country.rows(*TRACE) == [
        (0, "delivered", 3, 2000, 0, 8, 8),
        (1, "delivered", 2, 1000, 8, 12, 12),
    ]
    assert country.ways["town"][0].ledger == Ledger(sent=8000, delivered=5000, lost=3000)


def test_pauses_after_failures_grow_to_the_longest(tmp_path):
    """Attempts fail at 1 s and then, after 0.5, 1.5, 2 and 2 seconds, at 1.5, 3 and 5; the one at 7 has time enough."""
    link = {
        "outages": {"scheduled_s": [[1, 6.5]]},
        "on_outage": "retry",
        "retry": {"first_backoff_s": 0.5, "factor": 3, "longest_backoff_s": 2},
    }
    country = Country(tmp_path, {"town": link}).up("town", (0, 3000))
    assert country.rows(*TRACE) == [(0, "delivered", 5, 1000, 0, 10, 10)]


def test_a_message_is_given_up_after_its_last_attempt(tmp_path):
    """Attempts at 0, 3 and 5; the next message begins when the last has failed, and waits with pauses of its own."""
    link = {
        "outages": {"scheduled_s": [[2, 6]]},
        "on_outage": "retry",
        "retry": {"most_attempts": 3},
        "latency_ms": 250,
    }
    country = Country(tmp_path, {"town": link}).up("town", (0, 3000), (1, 100))
    assert country.rows(*TRACE) == [
        (0, "failed", 3, 2000, 0, 5, None),
        (1, "delivered", 2, 0, 5, 6.1, 6.35),
    ]
    assert country.received == [(6.35, "cloud", "1")]
    assert country.ways["town"][0].ledger == Ledger(sent=2100, delivered=100, lost=2000, dropped=3000)


def test_the_end_of_the_run_leaves_messages_on_their_way_and_in_the_queue(tmp_path):
    """The first fails at 2 s and is tried again at 3 s, of which 1.5 s are left: too little. The next has no turn."""
    link = {"outages": {"scheduled_s": [[2, 2.5]]}, "on_outage": "retry", "outbox": {"messages": 5}}
    country = Country(tmp_path, {"town": link}, duration_s=4.5).up("town", (0, 3000), (1, 100))
    assert country.rows(*TRACE) == [
        (0, "in_flight", 2, 2000, 0, None, None),
        (1, "queued", 0, 0, None, None, None),
    ]


@pytest.mark.parametrize("bound", [{"messages": 2}, {"capacity_bytes": 1000}])
@pytest.mark.parametrize(
    ("overflow", "rows", "received"),
    [
        (
            "drop_oldest",
            [
                (0, "delivered", 1, 0, 0, 1, 1),
                (1, "dropped", 0, 0, None, None, None),
                (2, "delivered", 1, 0, 1, 1.5, 1.5),
                (3, "delivered", 1, 0, 1.5, 2, 2),
            ],
            "023",
        ),
        (
            "drop_newest",
            [
                (0, "delivered", 1, 0, 0, 1, 1),
                (1, "delivered", 1, 0, 1, 1.5, 1.5),
                (2, "delivered", 1, 0, 1.5, 2, 2),
                (3, "dropped", 0, 0, None, None, None),
            ],
            "012",
        ),
        (
            "drop_least_informative",
            [
                (0, "delivered", 1, 0, 0, 1, 1),
                (1, "delivered", 1, 0, 1, 1.5, 1.5),
                (2, "dropped", 0, 0, None, None, None),
                (3, "delivered", 1, 0, 1.5, 2, 2),
            ],
            "013",
        ),
    ],
)
def test_a_full_outbox_drops_by_its_policy(tmp_path, bound, overflow, rows, received):
    """The first is being sent while the others wait, of which two can."""
    country = Country(tmp_path, {"town": {"outbox": bound | {"overflow": overflow}}})
    country.up("town", (0, 1000), (0.1, 500, 2.0), (0.2, 500, 1.0), (0.3, 500, 3.0))
    assert country.rows(*TRACE) == rows
    assert [name for _, _, name in country.received] == list(received)
    assert country.ways["town"][0].ledger == Ledger(sent=2000, delivered=2000, dropped=500)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "drop_least_informative"])
def test_a_device_that_comes_back_says_so_however_full_its_outbox_is(tmp_path, overflow):
    """Samples are sent until 1 s; a join waits behind them, in an outbox that has no room for samples."""
    country = Country(tmp_path, {"town": {"outbox": {"messages": 0, "overflow": overflow}}})
    country.up("town", (0, 1000), (0.75, 100))
    country.send_at(0.5, country.ways["town"][0], 250, "town", "join")
    assert country.rows("message", "kind", "status", "start_s", "sent_s") == [
        (0, "samples", "delivered", 0, 1),
        (1, "join", "delivered", 1, 1.25),
        (2, "samples", "dropped", None, None),
    ]


def test_an_outbox_waits_out_an_outage(tmp_path):
    """What is being sent does not count; of what comes during the outage only the newest is there at its end."""
    link = {"outbox": {"messages": 1}, "outages": {"scheduled_s": [[0.5, 10]]}}
    country = Country(tmp_path, {"town": link}).up("town", (0, 1000), (1, 10), (2, 20), (3, 30))
    assert country.rows("status", "start_s", "sent_s") == [
        ("delivered", 0, 10.5),
        ("dropped", None, None),
        ("dropped", None, None),
        ("delivered", 10.5, 10.53),
    ]


@pytest.mark.parametrize("shared", [False, True])
def test_a_message_that_finds_the_link_free_needs_no_room_in_the_outbox(tmp_path, shared):
    """A message each second takes a second; a link without limit is free at once."""
    cells = {"cells": {"hill": CELL}} if shared else {}
    link = {"outbox": {"messages": 0}} | ({"cell": "hill"} if shared else {})
    unlimited = {"uplink_mbps": float("inf"), "outbox": {"messages": 0}}
    country = Country(tmp_path, {"town": link, "wood": unlimited}, **cells)
    country.up("town", (0, 1000), (1, 1000), (1.5, 1000), (2, 1000))
    country.up("wood", (0, 1000), (0, 1000), (0, 1000), (1, 1000))
    assert country.rows("device", "status", "sent_s") == [
        ("town-0", "delivered", 1),
        ("town-0", "delivered", 2),
        ("town-0", "dropped", None),
        ("town-0", "delivered", 3),
        ("wood-0", "delivered", 0),
        ("wood-0", "delivered", 0),
        ("wood-0", "delivered", 0),
        ("wood-0", "delivered", 1),
    ]


def test_a_message_that_comes_as_another_ends_in_a_cell_finds_the_link_free(tmp_path):
    """Shares of a third and a quarter leave rounding behind, but the first one of `a` ends at 3.5 s exactly."""
    link = {"cell": "c", "uplink_mbps": 1.0, "outbox": {"messages": 0, "overflow": "drop_newest"}}
    cells = {"c": {"uplink_mbps": BYTE_A_MILLISECOND, "downlink_mbps": 1.0}}
    country = Country(tmp_path, dict.fromkeys("abcd", link), cells=cells)
    country.up("a", (0, 1000), (3.5, 1000)).up("b", (0, 1000)).up("c", (0, 1000)).up("d", (0.25, 500))
    assert country.rows("device", "message", "status", "start_s", "sent_s") == [
        ("a-0", 0, "delivered", 0, 3.5),
        ("a-0", 1, "delivered", 3.5, 4.5),
        ("b-0", 0, "delivered", 0, 3.5),
        ("c-0", 0, "delivered", 0, 3.5),
        ("d-0", 0, "delivered", 0.25, 2.25),
    ]


@pytest.mark.parametrize("carried_by", ["link", "trace", "cell"])
def test_what_waits_in_an_outbox_begins_at_the_exact_end_before_it(tmp_path, carried_by):
    """Each message takes a third of a second: the fourth finds the link free at 1 s."""
    mbps, cells = 0.024, {}
    link = {"uplink_mbps": mbps, "outbox": {"messages": 2, "overflow": "drop_newest"}}
    if carried_by == "trace":
        link["outages"] = {"scheduled_s": [[5, 6]]}
    if carried_by == "cell":
        link["cell"], cells = "c", {"c": {"uplink_mbps": mbps, "downlink_mbps": 1.0}}
    country = Country(tmp_path, {"town": link}, cells=cells).up("town", *[(0, 1000)] * 3, (1, 1000))
    assert country.rows("status", "start_s", "sent_s") == [
        ("delivered", 0, 0.333333334),
        ("delivered", 0.333333334, 0.666666667),
        ("delivered", 0.666666667, 1),
        ("delivered", 1, 1.333333334),
    ]


@pytest.mark.parametrize(
    ("superseded", "rows"),
    [
        (
            "keep",
            [("delivered", 0, 0.5), ("delivered", 0.5, 1), ("delivered", 1, 1.5), ("delivered", 1.5, 2)],
        ),
        (
            "drop",
            [("delivered", 0, 0.5), ("superseded", None, None), ("delivered", 0.5, 1), ("delivered", 1, 1.5)],
        ),
        (
            "replace",
            [("delivered", 0, 0.5), ("superseded", None, None), ("delivered", 1, 1.5), ("delivered", 0.5, 1)],
        ),
    ],
)
def test_a_version_that_waits_is_superseded(tmp_path, superseded, rows):
    """Two versions, an answer and another version: the second version waits when the last one comes."""
    country = Country(tmp_path, {"town": {"superseded": superseded}})
    for number, kind in enumerate(("update", "update", "answer", "update")):
        country.send_at(0.1 * number, country.ways["town"][1], 500, str(number), kind)
    assert country.rows("status", "start_s", "sent_s") == rows


def test_what_a_device_that_loses_its_state_has_waiting_is_dropped(tmp_path):
    """What is being sent goes on, and so does the link with what comes later."""
    country = Country(tmp_path, {"town": {}}, forgets=True)
    country.up("town", (0, 1000), (0.2, 500), (0.3, 500), (0.6, 100))
    country.clock.call_at(SECOND // 2, country.ways["town"][0].forget)
    assert country.rows(*TRACE) == [
        (0, "delivered", 1, 0, 0, 1, 1),
        (1, "dropped", 0, 0, None, None, None),
        (2, "dropped", 0, 0, None, None, None),
        (3, "delivered", 1, 0, 1, 1.1, 1.1),
    ]


def test_a_link_that_does_not_forget_keeps_what_waits(tmp_path):
    country = Country(tmp_path, {"town": {}}, forgets=False).up("town", (0, 1000), (0.2, 500))
    country.clock.call_at(SECOND // 2, country.ways["town"][0].forget)
    assert country.rows("status", "sent_s") == [("delivered", 1), ("delivered", 1.5)]


def test_a_region_takes_down_the_links_of_several_groups(tmp_path):
    """Of half the message that was sent one link goes on with the rest; another tries all again at 1.5 and 3.5 s."""
    links = {
        "town": {"region": "north"},
        "village": {"region": "north", "cell": "hill", "on_outage": "retry"},
        "wood": {"cell": "hill"},
    }
    regions = {"north": {"outages": {"scheduled_s": [[0.5, 2]]}}}
    country = Country(tmp_path, links, regions=regions, cells={"hill": CELL})
    for group in links:
        country.up(group, (0, 1000)).down(group, (1, 100))
    assert country.rows("device", "direction", *TRACE) == [
        ("town-0", "down", 0, "delivered", 1, 0, 1, 2.1, 2.1),
        ("town-0", "up", 0, "delivered", 1, 0, 0, 2.5, 2.5),
        ("village-0", "down", 0, "delivered", 2, 0, 1, 2.1, 2.1),
        ("village-0", "up", 0, "delivered", 3, 500, 0, 4.5, 4.5),
        ("wood-0", "down", 0, "delivered", 1, 0, 1, 1.1, 1.1),
        ("wood-0", "up", 0, "delivered", 1, 0, 0, 1, 1),
    ]


def test_a_link_is_down_with_its_cell_and_by_itself(tmp_path):
    links = {"town": {"cell": "hill", "outages": {"scheduled_s": [[1, 2]]}}, "wood": {"cell": "hill"}}
    cells = {"hill": CELL | {"outages": {"scheduled_s": [[0.5, 1.5]]}}}
    country = Country(tmp_path, links, cells=cells)
    for group in links:
        country.up(group, (0, 1000))
    assert country.rows("device", "start_s", "sent_s") == [("town-0", 0, 2.5), ("wood-0", 0, 2)]


RANDOM = {"mean_up_s": 1.0, "mean_down_s": 1.0}


def test_random_outages_depend_on_nothing_but_name_and_seed(tmp_path):
    """A long message ends when it does whatever the rest of the scenario is."""

    def end(folder, links, seed=1, **more):
        (tmp_path / folder).mkdir()
        links = {"town": {"region": "north", "outages": RANDOM}} | links
        regions = {"north": {"outages": RANDOM}} | more.pop("regions", {})
        country = Country(tmp_path / folder, links, duration_s=100.0, seed=seed, regions=regions, **more)
        return country.up("town", (0, 5000)).rows("device", "sent_s")[-1]

    alone = end("alone", {})
    assert alone[1] > 5.5
    others = {
        "a": {"region": "south", "outages": RANDOM, "cell": "hill", "loss": 0.5, "jitter_ms": 50},
    }
    regions = {"south": {"outages": RANDOM}}
    cells = {"hill": CELL | {"outages": RANDOM}}
    assert end("crowd", others, regions=regions, cells=cells) == alone
    assert end("seed", {}, seed=2) != alone


def test_each_device_has_random_outages_of_its_own(tmp_path):
    country = Country(tmp_path, {"town": {"outages": RANDOM}})
    link = country.scenario.groups["town"].link
    first, again, other = (
        list(islice(country.network.own_outages(name, link), 5)) for name in ("town-0", "town-0", "town-1")
    )
    assert first == again != other


def test_packets_are_acknowledged_over_the_way_back(tmp_path):
    """Three packets up, and two down; nobody acknowledges an acknowledgement, and nobody is told of one.

    What has arrived at 1.6 s is acknowledged behind the message that is sent up to 2.5 s.
    """
    country = Country(tmp_path, {"town": {"acknowledgement_bytes": 40, "latency_ms": 100}})
    country.up("town", (0, 2500)).down("town", (0, 1500))
    columns = ("direction", "kind", "payload_bytes", "header_bytes", "queued_s", "start_s", "sent_s")
    assert country.rows(*columns) == [
        ("down", "update", 1500, 0, 0, 0, 1.5),
        ("down", "acknowledgement", 0, 120, 2.6, 2.6, 2.72),
        ("up", "samples", 2500, 0, 0, 0, 2.5),
        ("up", "acknowledgement", 0, 80, 1.6, 2.5, 2.58),
    ]
    assert country.received == [(1.6, "town", "0"), (2.6, "cloud", "0")]
    assert [link.ledger for link in country.ways["town"]] == [
        Ledger(sent=2580, delivered=2580),
        Ledger(sent=1620, delivered=1620),
    ]


def test_an_acknowledgement_passes_by_the_outbox(tmp_path):
    """It goes behind the message that is being sent, before the one that waits, and takes no room."""
    country = Country(tmp_path, {"town": {"acknowledgement_bytes": 40, "outbox": {"messages": 1}}})
    country.up("town", (0, 1000), (0.1, 1000)).down("town", (0.2, 100))
    assert [row for row in country.rows("direction", "kind", "start_s", "sent_s") if row[0] == "up"] == [
        ("up", "samples", 0, 1),
        ("up", "samples", 1.04, 2.04),
        ("up", "acknowledgement", 1, 1.04),
    ]


def test_who_is_away_acknowledges_nothing(tmp_path):
    """It is away from the moment at which the first message arrives, and is there for the second one again."""
    absences = Outages(iter([Outage(1_600_000_000, 5_000_000_000)]))
    link = {"acknowledgement_bytes": 40, "latency_ms": 100}
    country = Country(tmp_path, {"town": link}, absences=absences).down("town", (0, 1500), (1, 1000))
    assert country.rows("direction", "kind", "queued_s", "sent_s", "delivered_s") == [
        ("down", "update", 0, 1.5, 1.6),
        ("down", "update", 1, 5.9, 6.0),
        ("up", "acknowledgement", 6.0, 6.04, 6.14),
    ]


def test_copies_of_lost_packets_are_not_acknowledged(tmp_path):
    country = Country(tmp_path, {"town": {"acknowledgement_bytes": 40, "uplink_loss": 0.5}})
    country.up("town", (0, 5000))
    acknowledged, sent = country.rows("kind", "header_bytes", "retransmitted_bytes")
    assert acknowledged == ("acknowledgement", 200, 0)
    assert sent[2] > 0


def test_what_fails_for_good_is_not_acknowledged(tmp_path):
    link = {
        "acknowledgement_bytes": 40,
        "outages": {"scheduled_s": [[0.5, 1]]},
        "on_outage": "retry",
        "retry": {"most_attempts": 1},
    }
    country = Country(tmp_path, {"town": link}).up("town", (0, 1000))
    assert country.rows("kind", "status") == [("samples", "failed")]


HILL = {"hill": CELL | {"updates": "multicast"}}


def test_a_channel_carries_a_version_once_at_the_lowest_limit(tmp_path):
    links = {"town": {"cell": "hill"}, "wood": {"cell": "hill", "downlink_mbps": BYTE_A_MILLISECOND / 2}}
    country = Country(tmp_path, links, cells=HILL)
    country.send_at(0, country.channel("hill", "fleet", "town", "wood"), 1000, "1", "update")
    assert country.rows("device", "group", "direction", "kind", "sent_s") == [
        ("hill/fleet", None, "down", "update", 2.0)
    ]
    assert country.received == [(2.0, "all of fleet", "1")]


def test_channels_of_two_students_share_their_cell_with_its_links(tmp_path):
    """A byte a millisecond for all: three messages of a thousand at once, of which an answer is for one device."""
    cells = {"hill": {"uplink_mbps": 1.0, "downlink_mbps": BYTE_A_MILLISECOND, "updates": "multicast"}}
    country = Country(tmp_path, {"town": {"cell": "hill"}, "wood": {"cell": "hill"}}, cells=cells)
    for student in ("town", "wood"):
        country.send_at(0, country.channel("hill", student, student), 1000, "1", "update")
    country.send_at(0, country.ways["wood"][1], 500, "answer", "answer")
    assert country.rows("device", "group", "sent_s", "payload_bytes") == [
        ("hill/town", None, 2.5, 1000),
        ("hill/wood", None, 2.5, 1000),
        ("wood-0", "wood", 1.5, 500),
    ]


def test_a_channel_has_the_worst_of_its_links(tmp_path):
    """Messages of 500 bytes are five packets of 100 with 8 bytes each, and 3 bytes beside; all goes the long way."""
    links = {
        "town": {"cell": "hill", "latency_ms": 700, "packet_bytes": 100, "message_overhead_bytes": 3},
        "wood": {"cell": "hill", "latency_ms": 30, "header_bytes": 8, "downlink_loss": 0.2},
    }
    country = Country(tmp_path, links, cells=HILL)
    channel = country.channel("hill", "fleet", "town", "wood")
    assert channel.direction.loss == 0.2
    country.send_at(0, channel, 500, "1", "update")
    ((header, lost, sent, delivered),) = country.rows(
        "header_bytes", "retransmitted_bytes", "sent_s", "delivered_s"
    )
    assert (header, sent) == (43, (543 + lost) / 1000)
    assert delivered == pytest.approx(sent + 0.7, abs=1e-12)


def test_the_longest_latency_is_longer_than_every_draw_of_the_others(tmp_path):
    """Draws of 100 and 900 ms on one link, and always 500 ms on another: together 500 or 900 ms."""
    varying = {"distribution": "empirical", "values_ms": [100, 900]}
    links = {
        "town": {"cell": "hill", "downlink_latency_ms": varying},
        "wood": {"cell": "hill", "latency_ms": 500},
        "lake": {"cell": "hill", "latency_ms": 500, "downlink_latency_ms": varying},
    }
    country = Country(tmp_path, links, cells=HILL, duration_s=100.0)
    channel = country.channel("hill", "fleet", *links)
    for number in range(40):
        country.send_at(2 * number, channel, 0, str(number), "update")
    delays = [round(end - start, 9) for start, end in country.rows("sent_s", "delivered_s")]
    assert set(delays) == {0.5, 0.9}


def test_a_channel_varies_as_much_as_the_link_that_varies_most(tmp_path):
    links = {"town": {"cell": "hill", "latency_ms": 50}, "wood": {"cell": "hill", "jitter_ms": 30}}
    country = Country(tmp_path, links, cells=HILL)
    direction = country.channel("hill", "fleet", *links).direction
    assert (direction.latency_ms, direction.jitter_ms) == (50, 30)


@pytest.mark.parametrize(
    ("on_outage", "superseded", "rows"),
    [
        ("pause", "keep", [("delivered", 0, 5), ("delivered", 5, 5.5), ("delivered", 5.5, 6)]),
        ("retry", "drop", [("delivered", 0, 7), ("superseded", None, None), ("delivered", 7, 7.5)]),
    ],
)
def test_a_channel_does_as_all_its_links_do(tmp_path, on_outage, superseded, rows):
    """It is down with each region, from 1 to 2 and from 2.5 to 4 s; a message of 2.5 seconds pauses, or fails twice.

    It is tried again at 2 s, and after 2 s more at 4.5 s.
    """
    both = {"cell": "hill", "superseded": superseded, "on_outage": on_outage}
    links = {"town": both | {"region": "north"}, "wood": both | {"region": "south"}}
    regions = {
        name: {"outages": {"scheduled_s": [when]}} for name, when in (("north", [1, 2]), ("south", [2.5, 4]))
    }
    country = Country(tmp_path, links, regions=regions, cells=HILL)
    channel = country.channel("hill", "fleet", *links)
    for number, size in enumerate((2500, 500, 500)):
        country.send_at(0.1 * number, channel, size, str(number), "update")
    assert country.rows("status", "start_s", "sent_s") == rows


def test_versions_go_once_to_each_cell_and_student_and_to_others_one_by_one(tiny, tmp_path):
    """Two groups with a student each are in a cell with multicast, one is in a cell without, and one in none."""
    link = {"uplink_mbps": 1.0, "downlink_mbps": 1.0}
    cells = {"hill": CELL | {"updates": "multicast"}, "lake": CELL}
    named = {"a": {"cell": "hill"}, "b": {"cell": "hill"}, "c": {"cell": "lake"}, "d": {}}
    folder = tiny.run(
        tmp_path,
        duration_s=2.5,
        cells=cells,
        strategy=tiny.cema(student_scope="group"),
        groups={name: tiny.group(count=2, link=link | more) for name, more in named.items()},
    )
    published = pq.read_table(folder / "updates.parquet").to_pylist()
    sent = [
        (row["device"], row["group"], row["version"])
        for row in pq.read_table(folder / "transfers.parquet").to_pylist()
        if row["kind"] == "update"
    ]
    receivers = {
        "a": [("hill/a", None)],
        "b": [("hill/b", None)],
        "c": [("c-0", "c"), ("c-1", "c")],
        "d": [("d-0", "d"), ("d-1", "d")],
    }
    expected = [
        (device, group, row["version"])
        for row in published
        if row["version"] is not None
        for device, group in receivers[row["student"]]
    ]
    assert {row["student"] for row in published} == set(receivers)
    assert sorted(sent, key=str) == sorted(expected, key=str)
    devices = pq.read_table(folder / "devices.parquet").to_pylist()
    assert all(row["version"] > 0 for row in devices)


TRACED = {"model": "csv", "file": "constant.csv"}


@pytest.mark.parametrize("carried_by", ["link", "trace", "cell"])
def test_tcp_is_no_faster_than_its_losses_allow(tmp_path, monkeypatch, carried_by):
    """1000 bytes / 0.1 s * sqrt(1.5 / 0.015) are 0.8 Mbit/s; the way back loses nothing, and has no cap."""
    monkeypatch.chdir(tmp_path)
    Path("constant.csv").write_text("time_s,mbps\n0,100\n", encoding="utf-8")
    link = {"uplink_mbps": 100, "downlink_mbps": 100, "uplink_loss": 0.015, "mathis_rtt_ms": 100}
    if carried_by == "trace":
        link["uplink_mbps"] = TRACED
    more = {}
    if carried_by == "cell":
        link["cell"] = "hill"
        more["cells"] = {"hill": {"uplink_mbps": 1000, "downlink_mbps": 1000}}
    country = Country(tmp_path, {"town": link}, **more).up("town", (0, 100_000)).down("town", (0, 100_000))
    (_, down), (lost, up) = country.rows("retransmitted_bytes", "sent_s")
    assert up == pytest.approx((100_000 + lost) * 8 / 0.8e6, abs=2e-9)
    assert down == pytest.approx(0.008, abs=2e-9)


def test_headers_come_on_top_of_what_tcp_reaches(tmp_path):
    """Each packet of 1000 bytes takes 1250: 0.8 Mbit/s of payload are 1 Mbit/s on the link."""
    link = {"uplink_mbps": 100, "uplink_loss": 0.015, "mathis_rtt_ms": 100, "header_bytes": 250}
    uplink, _ = Country(tmp_path, {"town": link}).ways["town"]
    assert uplink.direction.bandwidth_mbps == pytest.approx(1.0)


def test_a_link_slower_than_its_losses_allow_stays_as_slow(tmp_path):
    link = {"uplink_loss": 0.015, "mathis_rtt_ms": 100}
    assert Country(tmp_path, {"town": link}).ways["town"][0].direction.bandwidth_mbps == BYTE_A_MILLISECOND


TRACES = {
    # A byte a millisecond, none from 1 to 2, then two a millisecond: 1000 and 2000 bytes by 3 s.
    "csv": ("time_s,mbps\n0,0.008\n1,0\n2,0.016\n", (1500, 1500), [(0, 2.25), (2.25, 3)]),
    # Two packets of 1500 bytes in the first of three milliseconds, none in the second and one in the third.
    "mahimahi": ("1\n1\n3\n", (3000, 750, 2250), [(0, 0.001), (0.001, 0.0025), (0.0025, 0.0035)]),
}


@pytest.mark.parametrize("model", TRACES)
@pytest.mark.parametrize("shared", [False, True])
def test_a_trace_is_followed_exactly(tmp_path, model, shared):
    trace, sizes, expected = TRACES[model]
    path = tmp_path / "trace"
    path.write_text(trace, encoding="utf-8")
    varies = {"model": model, "file": str(path)}
    if shared:
        cells = {"hill": {"uplink_mbps": varies, "downlink_mbps": 1.0}}
        country = Country(tmp_path, {"town": {"cell": "hill", "uplink_mbps": 1000.0}}, cells=cells)
    else:
        country = Country(tmp_path, {"town": {"uplink_mbps": varies}})
    country.up("town", *((0, size) for size in sizes))
    assert country.rows("start_s", "sent_s") == expected


def test_devices_share_a_trace_and_an_outage_leaves_it_to_the_others(tmp_path):
    """Two bytes a millisecond up to 1 s, then one: each has a thousand by 1 s, and then one waits for 2 s.

    The other has its last 500 bytes alone, and the first goes on with its own at 3 s.
    """
    (tmp_path / "trace").write_text("time_s,mbps\n0,0.016\n1,0.008\n", encoding="utf-8")
    cells = {"hill": {"uplink_mbps": {"model": "csv", "file": str(tmp_path / "trace")}, "downlink_mbps": 1.0}}
    links = {
        "town": {"cell": "hill", "uplink_mbps": 1.0, "outages": {"scheduled_s": [[1, 3]]}},
        "wood": {"cell": "hill", "uplink_mbps": 1.0},
    }
    country = Country(tmp_path, links, cells=cells).up("town", (0, 1500)).up("wood", (0, 1500))
    assert country.rows("device", "start_s", "sent_s") == [("town-0", 0, 3.5), ("wood-0", 0, 1.5)]


def test_no_message_overtakes_another_whatever_their_latencies(tmp_path):
    """Each arrives after a latency of the list, or together with the one before it."""
    latency = {"distribution": "empirical", "values_ms": [10, 200, 900]}
    country = Country(tmp_path, {"town": {"latency_ms": latency, "uplink_mbps": 1000}})
    country.up("town", *((0.05 * number, 10) for number in range(100)))
    before, caught_up = 0.0, 0
    for sent, delivered in country.rows("sent_s", "delivered_s"):
        possible = [max(before, sent + delay) for delay in (0.01, 0.2, 0.9)]
        assert any(delivered == pytest.approx(time, abs=1e-9) for time in possible)
        caught_up += delivered == before
        before = delivered
    assert [name for _, _, name in country.received] == [str(number) for number in range(100)]
    assert 10 < caught_up < 100
