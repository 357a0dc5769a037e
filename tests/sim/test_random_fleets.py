"""What holds in every run, on fleets that are drawn at random; a new law is a function in LAWS."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analysis.summary import summarise
from models import flops
from sim.life import history
from sim.results import MANIFEST, TABLES
from sim.streams import RandomStreams
from tests.sim.fluid_solver import FluidLink, constant, solve
from tests.sim.random_scenarios import scenario, troubled_scenario

WAYS = ("up", "down")
SLICES = 31


@dataclass
class Run:
    """What a run has left behind.

    Attributes:
        scenario: as validated.
        end: of the run, in nanoseconds like all times here.
        batches, transfers, updates, cloud, devices: rows of the tables, where `start_s` and its like are `start`, in
            whole nanoseconds.
        accounts: after each slice of the run, of each link (device or channel, way) the ledger and of each device
            the counts.
        folder: which has all of it.

    """

    scenario: object
    end: int
    batches: list
    transfers: list
    updates: list
    cloud: list
    devices: list
    accounts: list
    folder: Path

    def settings(self, device):
        """Return the settings of a device's group."""
        return self.scenario.groups[device.rpartition("-")[0]]

    def epoch(self, time):
        """Return how many resets there have been by a time."""
        return sum(ns(reset) <= time for reset in self.scenario.resets_s)

    def sent(self, device, way, *kinds):
        """Return a device's messages one way in order, perhaps of some kinds alone."""
        found = [
            row
            for row in self.transfers
            if (row["device"], row["direction"]) == (device, way) and (not kinds or row["kind"] in kinds)
        ]
        return sorted(found, key=lambda row: row["message"])

    def seen(self, device):
        """Return a device's batches in order."""
        return sorted((row for row in self.batches if row["device"] == device), key=lambda row: row["batch"])

    def absences(self, device):
        """Return when a device is away, drawn again from its stream; apart from each other, in order."""
        life = self.settings(device).life
        if life is None:
            return []
        streams = RandomStreams(self.scenario.seed)
        return list(history(life, lambda: streams.generator(f"{device}/life"), self.end))

    def is_away(self, device, time):
        """Tell whether a device is away: from the first moment of an absence to just before its last."""
        return any(away.begin <= time < (away.end or math.inf) for away in self.absences(device))

    def forgets(self, device):
        """Return when a device comes back from crashes that cost it its state."""
        if not self.absences(device) or self.settings(device).life.state == "kept":
            return []
        return [away.end for away in self.absences(device) if away.crashed and away.end is not None]

    @property
    def names(self):
        return [row["device"] for row in self.devices]

    @property
    def channels(self):
        """The names of what sends versions to several devices of a cell at once."""
        return {key[0] for key in self.accounts[-1][0]} - set(self.names)


def ns(time_s):
    """Return seconds as the whole nanoseconds that they were."""
    return round(time_s * 10**9)


def rows(path):
    """Read a table, with times in nanoseconds."""
    table = pq.read_table(path)
    times = {
        name
        for name in table.schema.names
        if name.endswith("_s") and table.schema.field(name).type == pa.float64()
    }
    return [
        {
            name.removesuffix("_s") if name in times else name: ns(value)
            if name in times and value is not None
            else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]


def run(tiny, folder, changes, slices=SLICES):
    """Make a run in slices, after each of which it is looked at."""
    scenario = tiny.scenario(**changes)
    simulation = tiny.simulation(scenario, folder)
    accounts = []

    def look(_):
        links = {(name, "up"): link for name, link in simulation.uplinks.items()}
        links |= {(name, "down"): link for name, link in simulation.downlinks.items()}
        links |= {(name, "down"): link for name, link in simulation.channels.items()}
        counts = {name: asdict(device.counts) for name, device in simulation.devices.items()}
        accounts.append(({key: vars(link.ledger) for key, link in links.items()}, counts))

    with simulation.recorder, simulation.executor:
        simulation.run(look, slices=slices)
        simulation.finish()
    (folder / MANIFEST).write_text(json.dumps({"simulated_s": scenario.duration_s}), encoding="utf-8")
    tables = {name.removesuffix(".parquet"): rows(folder / name) for name in TABLES}
    return Run(scenario, simulation.end, **tables, accounts=accounts, folder=folder)


@pytest.fixture(scope="module", autouse=True)
def operations_are_counted_once():
    """Every network of these fleets has the same layers, and PyTorch takes longer to count than to compute."""
    count_anew, known = flops._count_anew, {}

    def count(model, *question):
        if question not in known:
            known[question] = count_anew(model, *question)
        return known[question]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flops, "_count_anew", count)
        yield


# Accounts.


def accounts_balance_at_every_slice(run):
    assert len(run.accounts) == SLICES
    for ledgers, counts in run.accounts:
        for ledger in ledgers.values():
            assert ledger["sent"] == ledger["delivered"] + ledger["lost"] + ledger["in_flight"]
            assert min(ledger.values()) >= 0
        for count in counts.values():
            states = ("predicted", "queued", "in_progress", "dropped", "damaged", "missed", "lost")
            assert count["arrived"] == sum(count[state] for state in states)
            assert min(count.values()) >= 0
            assert count["correct"] <= count["predicted"]


def may_give_up(run, key):
    """Tell whether messages of a device's link, or perhaps of a channel, can fail for good."""
    device, _ = key
    if device not in run.names:
        return True
    link = run.settings(device).link
    return link.on_outage == "retry" and link.retry.most_attempts is not None


def loses(run, key):
    """Tell whether packets are lost on a device's link, or perhaps on those of a channel."""
    device, way = key
    if device not in run.names:
        return True
    link = run.settings(device).link
    own = getattr(link, f"{way}link_loss")
    return bool(link.loss if own is None else own)


def what_has_happened_stays_so(run):
    """Sums of what is over never fall."""
    for (ledgers, counts), (later_ledgers, later_counts) in pairwise(run.accounts):
        for key, ledger in ledgers.items():
            later = later_ledgers[key]
            assert all(ledger[state] <= later[state] for state in ("delivered", "lost", "dropped"))
            fails = may_give_up(run, key)
            assert fails or ledger["sent"] <= later["sent"]  # or what was never really sent is dropped
            if not (fails and loses(run, key)):  # or copies of lost packets are not sent any more
                for handed_over in (("sent", "dropped"), ("queued", "sent", "dropped")):
                    assert sum(map(ledger.get, handed_over)) <= sum(map(later.get, handed_over))
        for name, count in counts.items():
            later = later_counts[name]
            over = (
                "arrived",
                "predicted",
                "dropped",
                "missed",
                "lost",
                "correct",
                "lost_by_uplink",
                "withheld",
            )
            assert all(count[state] <= later[state] for state in over)
            handed_over = ("uploaded", "lost_by_uplink")
            assert sum(map(count.get, handed_over)) <= sum(map(later.get, handed_over))


def tables_agree_with_the_accounts(run):
    ledgers, counts = run.accounts[-1]
    for row in run.devices:
        name = row["device"]
        batches = Counter()
        for batch in run.seen(name):
            batches[batch["status"]] += batch["samples"]
            batches["correct"] += batch["correct"] or 0
        batches["arrived"] = sum(
            batches[state] for state in ("predicted", "queued", "in_progress", "dropped", "missed", "lost")
        )
        for given_up in ("withheld", "waiting"):  # these are told by the criteria's verdicts
            batches[given_up] = counts[name][given_up]
        batches |= {"uploaded": 0, "lost_by_uplink": 0}
        for message in run.sent(name, "up", "samples"):
            is_lost = message["status"] in ("dropped", "failed")
            batches["lost_by_uplink" if is_lost else "uploaded"] += message["samples"]
        expected = {state: batches[state] for state in counts[name]}
        assert counts[name] == expected
        assert {state: row[f"samples_{state}"] for state in counts[name]} == expected
        assert row["flops"] == sum(batch["flops"] for batch in run.seen(name))
        states = ("queued", "sent", "delivered", "lost", "in_flight", "dropped")
        for way in WAYS:
            assert ledgers[name, way] == {state: row[f"{way}link_{state}_bytes"] for state in states}
    for key, ledger in ledgers.items():
        sent = run.sent(*key)
        assert [message["message"] for message in sent] == list(range(len(sent)))
        expected = dict.fromkeys(ledger, 0)
        for message in sent:
            arriving, lost = (
                message["payload_bytes"] + message["header_bytes"],
                message["retransmitted_bytes"],
            )
            status = message["status"]
            if status in ("dropped", "superseded"):
                expected["dropped"] += arriving + lost
            elif status == "failed":
                expected["sent"] += lost
                expected["lost"] += lost
                expected["dropped"] += arriving
            elif status == "delivered":
                expected["sent"] += arriving + lost
                expected["delivered"] += arriving
                expected["lost"] += lost
            else:
                expected["sent"] += arriving + lost if status == "in_flight" else 0
                expected[status] += arriving + lost
        assert ledger == expected


def the_summary_adds_up(run):
    """Computed again in whole numbers from all rows; of whole numbers a quotient is exact too."""
    summary, (ledgers, _) = summarise(run.folder), run.accounts[-1]
    predicted = [batch for batch in run.batches if batch["status"] == "predicted"]
    begun = [step for step in run.updates if step["start"] is not None]
    turned = [message for message in run.transfers if message["start"] is not None]
    samples = Counter()
    for batch in run.batches:
        samples[batch["status"]] += batch["samples"]
    for batch in predicted:
        severity = f"-{batch['severity']}" if batch["severity"] else ""
        batch["shift"] = batch["corruption"] + severity

    def total(rows, column):
        return sum(row[column] for row in rows)

    def accuracy(batches):
        return total(batches, "correct") / total(batches, "samples") if batches else None

    def accuracy_by(column):
        return {
            value: accuracy([batch for batch in predicted if batch[column] == value])
            for value in {batch[column] for batch in predicted}
        }

    unpredicted = ("dropped", "missed", "lost", "queued", "in_progress")
    asked = [batch for batch in run.batches if batch["start"] is not None and batch["version"] is None]
    candidates = total([batch for batch in predicted if batch["version"] is not None] + asked, "samples")
    counted = ("uploaded", "lost_by_uplink", "withheld", "waiting", "refused", "lost_by_cloud")
    states = next(iter(ledgers.values()))
    ledger = {
        f"{way}link": {
            f"{state}_bytes": sum(ledger[state] for key, ledger in ledgers.items() if key[1] == way)
            for state in states
        }
        for way in WAYS
    }
    uploaded = total(run.devices, "samples_uploaded")
    expected = {
        "accuracy": accuracy(predicted),
        **{f"accuracy_by_{column}": accuracy_by(column) for column in ("device", "group", "shift")},
        "accuracy_worst_device": min(accuracy_by("device").values(), default=None),
        "samples": samples.total(),
        "predicted_samples": samples["predicted"],
        **{f"{status}_samples": samples[status] for status in unpredicted},
        **{f"{state}_samples": total(run.devices, f"samples_{state}") for state in counted},
        "upload_share": uploaded / candidates if candidates else None,
        "ledger": ledger,
        **{f"{way}link_bytes": ledger[f"{way}link"]["sent_bytes"] for way in WAYS},
        "retransmitted_bytes": total(turned, "retransmitted_bytes"),
        "updates_published": sum(step["version"] is not None for step in run.updates),
        "cloud_steps": len(begun),
        "cloud_steps_lost": sum(step["status"] == "lost" for step in run.updates),
        "cloud_flops": total(run.updates, "flops"),
        "cloud_crashes": sum(event["event"] == "crashed" for event in run.cloud),
        "device_flops": total(run.devices, "flops"),
    }
    assert {name: summary[name] for name in expected} == expected
    assert uploaded <= candidates
    ends = [event["time"] for event in run.cloud[1:]] + [run.end]
    spans = zip(run.cloud, ends, strict=True) if run.cloud else ()
    latencies = [(batch["completion"] - batch["arrival"], batch["samples"]) for batch in predicted]
    ages = [(batch["version_age"], batch["samples"]) for batch in predicted if expected["updates_published"]]
    expected = {
        "cloud_busy_s": sum(min(step["finish"], run.end) - step["start"] for step in begun),
        "cloud_accelerator_s": sum(event["accelerators"] * (end - event["time"]) for event, end in spans),
        **{f"prediction_latency_p{level}_s": quantile(latencies, level) for level in (50, 95)},
        **{f"staleness_p{level}_s": quantile(ages, level) for level in (50, 95)},
    }
    assert {name: summary[name] and ns(summary[name]) for name in expected} == expected


def quantile(values, level):
    """Return the smallest value that at least `level` percent of the samples do not exceed; None without any."""
    each = sorted(value for value, samples in values if value is not None for _ in range(samples))
    return each[-(-level * len(each) // 100) - 1] if each else None


# Devices.


def serve(arrivals, durations, capacity, overflow, end):
    """Return when each batch begins, by number, and which are dropped: one server and a bounded queue.

    A pass that ends just as a batch arrives makes room for it if it began before the last arrival: it was known first.

    Args:
        arrivals: in nanoseconds.
        durations: likewise; infinite for a batch that is never done.
        capacity, overflow: as in the scenario.
        end: nothing begins at or after it.

    """
    begins, dropped, waiting, free_at, begun = {}, set(), [], 0, 0
    for number, arrival in enumerate([*arrivals, end]):
        while waiting:
            start = max(free_at, arrivals[waiting[0]])
            if start > arrival or (start == arrival and (arrival == end or begun >= arrivals[number - 1])):
                break
            first = waiting.pop(0)
            begins[first] = begun = start
            free_at = start + durations[first]
        if arrival == end:
            break
        if len(waiting) >= capacity:
            lost = number if overflow == "drop_newest" else waiting.pop(0)
            dropped.add(lost)
            if lost == number:
                continue
        waiting.append(number)
    return begins, dropped


def devices_work_whenever_there_is_work(run):
    for name in run.names:
        settings, batches = run.settings(name), run.seen(name)
        assert [batch["batch"] for batch in batches] == list(range(len(batches)))
        arrivals = [batch["arrival"] for batch in batches]
        assert arrivals == sorted(arrivals)
        assert not arrivals or arrivals[-1] < run.end
        durations = []
        for batch in batches:
            by_itself = batch["version"] is not None
            if batch["status"] == "predicted":
                assert batch["arrival"] <= batch["start"] <= batch["completion"] < run.end
            if batch["status"] == "predicted" and by_itself:
                computing = math.ceil(batch["flops"] / settings.compute.gflops)
                assert (
                    batch["completion"] - batch["start"]
                    == ns(settings.compute.overhead_ms / 1000) + computing
                )
                durations.append(batch["completion"] - batch["start"])
            else:
                durations.append(math.inf if by_itself else 0)
        begins, dropped = serve(
            arrivals, durations, settings.queue.capacity, settings.queue.overflow, run.end
        )
        assert {b["batch"]: b["start"] for b in batches if b["start"] is not None} == begins
        assert {batch["batch"] for batch in batches if batch["status"] == "dropped"} == dropped


def uploads_come_from_batches(run):
    """What a device keeps is sent as soon as it is judged, unless a reset came before; what it asks, at once."""
    for name in run.names:
        uploads = Counter(
            (m["queued"], m["samples"]) for m in run.sent(name, "up", "samples") if m["samples"]
        )
        judged = Counter()
        answered = Counter()
        for batch in run.seen(name):
            if batch["start"] is None:
                continue
            if batch["version"] is None:
                judged[batch["start"], batch["samples"]] += 1
                if batch["status"] == "predicted":
                    answered[batch["completion"], batch["samples"]] += 1
            elif batch["kept"]:
                judged[batch["completion"], batch["kept"]] += 1
        assert uploads <= judged
        assert run.scenario.resets_s or uploads == judged
        answers = run.sent(name, "down", "answer")
        assert (
            Counter((m["delivered"], m["samples"]) for m in answers if m["delivered"] is not None) == answered
        )


# Links.


def messages_leave_and_arrive_in_order(run):
    for name in run.names:
        link = run.settings(name).link
        for way in WAYS:
            own, jitter = (getattr(link, f"{way}link_{what}") for what in ("latency_ms", "jitter_ms"))
            latency = ns((link.latency_ms if own is None else own) / 1000)
            jitter = link.jitter_ms if jitter is None else jitter
            free_at = arrived_at = 0
            waits = False
            for message in run.sent(name, way):
                queued, start, sent, delivered = (
                    message[what] for what in ("queued", "start", "sent", "delivered")
                )
                assert queued < run.end
                assert message["status"] == (
                    "queued" if start is None else "in_flight" if delivered is None else "delivered"
                )
                assert not (waits and start is not None)  # behind one whose turn has not come
                waits = start is None
                if start is not None:
                    assert start == max(queued, free_at)
                    assert start <= run.end
                if sent is not None and start is not None:
                    assert start <= sent
                    free_at = sent
                if delivered is not None:
                    assert delivered < run.end
                    assert delivered >= max(sent + latency, arrived_at)
                    assert jitter or delivered == sent + latency
                    arrived_at = delivered
                elif sent is not None and not jitter:
                    assert sent + latency >= run.end


def links_and_cells_are_fair(run):
    """Every turn and end is that of exact fluid service."""
    places = defaultdict(list)
    for name in run.names:
        for way in WAYS:
            cell = run.settings(name).link.cell
            places[cell or name, way].append(name)
    for (place, way), names in places.items():
        cell = run.scenario.cells.get(place)
        capacity = math.inf if cell is None else getattr(cell, f"{way}link_mbps")
        links = [
            FluidLink("here", constant(rate(getattr(run.settings(name).link, f"{way}link_mbps"))))
            for name in names
        ]
        sent = [run.sent(name, way) for name in names]
        messages = [
            (message["queued"], number, 8 * bytes_of(message))
            for number, own in enumerate(sent)
            for message in own
        ]
        flights, _ = solve({"here": constant(rate(capacity))}, links, messages)
        for own, expected in zip(sent, flights, strict=True):
            for message, flight in zip(own, expected, strict=True):
                if message["start"] is None:
                    assert flight.start + 1 > run.end
                else:
                    assert is_told(message["start"], flight.start)
                if message["sent"] is None:
                    assert flight.end + 1 > run.end
                else:
                    assert is_told(message["sent"], flight.end)


def is_told(time, exact):
    """Tell whether a time is an exact one, rounded up to a whole nanosecond unless it is hardly above one."""
    return math.ceil(exact - Fraction(1, 2**20)) <= time <= math.ceil(exact)


def rate(mbps):
    return None if math.isinf(mbps) else round(mbps * 10**6)


def bytes_of(message):
    return message["payload_bytes"] + message["header_bytes"] + message["retransmitted_bytes"]


# The cloud and its versions.


def the_cloud_works_on_what_has_arrived(run):
    cloud = run.scenario.cloud
    arrivals = {m["delivered"] for name in run.names for m in run.sent(name, "up")}
    finishes = {step["finish"] for step in run.updates}
    for step in run.updates:
        assert step["ready"] in arrivals
        assert step["ready"] <= step["start"] <= step["finish"]
        assert step["start"] == step["ready"] or step["start"] in finishes
        assert step["start"] < run.end
        if step["finish"] < run.end:
            computing = math.ceil(step["flops"] / cloud.gflops)
            assert step["finish"] - step["start"] == ns(cloud.overhead_ms / 1000) + computing
        running = [s for s in run.updates if s["start"] <= step["start"] < s["finish"]]
        assert len(running) <= cloud.accelerators
        assert len({other["student"] for other in running}) == len(running)
    for kind in ("batch", "answer"):
        for step in run.updates:
            taken = sum(
                s["new_samples"] for s in run.updates if s["kind"] == kind and s["start"] <= step["start"]
            )
            there = sum(
                message["samples"]
                for name in run.names
                for message in run.sent(name, "up", "samples")
                if message["delivered"] is not None and message["delivered"] <= step["start"]
            )
            assert taken <= there


def versions_follow_one_another(run):
    """Since the last reset the cloud has published 1, 2, ..., each as its step finished and to all of its devices."""
    published = defaultdict(list)
    for step in sorted(run.updates, key=lambda step: step["step"]):
        if step["version"] is not None:
            own = published[step["student"], run.epoch(step["finish"])]
            own.append(step["finish"])
            assert step["version"] == len(own)
    for row in run.devices:
        sent = defaultdict(list)
        for message in run.sent(row["device"], "down", "update"):
            sent[run.epoch(message["queued"])].append((message["version"], message["queued"]))
        for epoch in range(len(run.scenario.resets_s) + 1):
            assert sent[epoch] == list(enumerate(published[row["student"], epoch], 1))


def versions_are_used_from_their_delivery_on(run):
    for row in run.devices:
        updates = run.sent(row["device"], "down", "update")
        for batch in run.seen(row["device"]):
            if batch["start"] is None or batch["version"] is None:
                continue
            epoch = run.epoch(batch["start"])
            current = [
                m for m in updates if run.epoch(m["queued"]) == epoch and m["queued"] <= batch["start"]
            ]
            held = [m for m in current if m["delivered"] is not None and m["delivered"] <= batch["start"]]
            assert batch["version"] == max((m["version"] for m in held), default=0)
            if batch["version_age"] is not None:
                published = held[-1]["queued"] if held else 0
                assert batch["version_age"] == batch["start"] - published
                # One that is published at this very moment may follow from the batch, and so come after its start.
                before = [m for m in current if m["queued"] < batch["start"]]
                assert len(before) <= batch["versions_behind"] + len(held) <= len(current)


LAWS = (
    accounts_balance_at_every_slice,
    what_has_happened_stays_so,
    tables_agree_with_the_accounts,
    devices_work_whenever_there_is_work,
    uploads_come_from_batches,
    messages_leave_and_arrive_in_order,
    links_and_cells_are_fair,
    the_cloud_works_on_what_has_arrived,
    versions_follow_one_another,
    versions_are_used_from_their_delivery_on,
)


def fleets(count):
    """Give a test so many fleets by number; one with a smaller number is no simpler, so none is looked for."""

    def decorate(test):
        few = settings(
            max_examples=count,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        return few(given(number=st.integers(0, 2**32 - 1))(test))

    return decorate


@fleets(25)
def test_laws(tiny, tmp_path_factory, number):
    finished = run(tiny, tmp_path_factory.mktemp("fleet"), scenario(number))
    for law in LAWS:
        law(finished)


def messages_are_in_order(run):
    """Whatever interrupts them: queued, begun, sent and delivered in this order, and none overtakes another."""
    for row in run.devices:
        for way in WAYS:
            delivered = [
                message for message in run.sent(row["device"], way) if message["delivered"] is not None
            ]
            for message in delivered:
                assert message["queued"] <= message["start"] <= message["sent"] <= message["delivered"]
            # Of those that begin at one moment and take no time, an acknowledgement may pass by what was in the outbox.
            begun = sorted(
                delivered, key=lambda message: (message["start"], message["sent"], message["delivered"])
            )
            assert [m["delivered"] for m in begun] == sorted(m["delivered"] for m in begun)


def versions_are_delivered_before_they_are_used(run):
    """Over its own downlink or its cell's channel, while the device is there, and since it last began anew."""
    for row in run.devices:
        name, cell = row["device"], run.settings(row["device"]).link.cell
        updates = (*run.sent(name, "down", "update"), *run.sent(f"{cell}/{row['student']}", "down"))
        for batch in run.seen(name):
            if batch["version"]:
                anew = max((time for time in run.forgets(name) if time <= batch["start"]), default=0)
                assert any(
                    message["version"] == batch["version"]
                    and message["delivered"] is not None
                    and anew <= message["delivered"] <= batch["start"]
                    and run.epoch(message["queued"]) == run.epoch(batch["start"])
                    and not run.is_away(name, message["delivered"])
                    for message in updates
                )
                assert batch["version_age"] >= 0 and batch["versions_behind"] >= 0


def versions_never_go_back(run):
    """But with a reset, or with a crash that costs a device its state."""
    for name in run.names:
        begun = sorted(
            (batch for batch in run.seen(name) if batch["version"] is not None),
            key=lambda batch: batch["start"],
        )
        for before, after in pairwise(begun):
            times = before["start"], after["start"]
            anew = any(times[0] < end <= times[1] for end in run.forgets(name))
            if not anew and run.epoch(times[0]) == run.epoch(times[1]):
                assert before["version"] <= after["version"]


def who_is_away_does_nothing(run):
    """What comes meanwhile is missed, and that alone; nothing begins or is handed over, and no last bit leaves.

    Only who leaves in good order finishes the batch in progress first.
    """
    for name in run.names:
        batches, absences = run.seen(name), run.absences(name)
        last = set()
        for batch in batches:
            assert (batch["status"] == "missed") == run.is_away(name, batch["arrival"])
            assert batch["start"] is None or not run.is_away(name, batch["start"])
            if batch["completion"] is not None and run.is_away(name, batch["completion"]):
                (away,) = (a for a in absences if a.begin <= batch["completion"] < (a.end or math.inf))
                assert (
                    not away.crashed and batch["version"] is not None
                )  # the cloud's answers do not reach it
                assert away.begin not in last
                last |= {away.begin, batch["completion"]}
        for message in run.sent(name, "up"):
            handed_over_away = run.is_away(name, message["queued"])
            assert not handed_over_away or message["queued"] in last
            assert not (handed_over_away and run.settings(name).budget)  # it is charged when it is back
        for message in (*run.sent(name, "up"), *run.sent(name, "down")):
            if message["status"] == "delivered" and bytes_of(message):
                assert not any(a.begin < message["sent"] < (a.end or math.inf) for a in absences)
        joins = [message["queued"] for message in run.sent(name, "up", "join")]
        assert joins in ([], [away.end for away in absences if away.end is not None])


def budgets_are_not_overdrawn(run):
    """Replayed message by message for each owner: what a bucket holds, and what a period has left.

    A message of no bytes, without a header, costs nothing and may go before the first period.
    """
    spenders = defaultdict(list)
    for row in run.devices:
        name, group = row["device"], row["group"]
        settings = run.settings(name)
        if settings.budget is not None:
            owner = {"device": name, "group": group, "fleet": ""}[run.scenario.budgets[settings.budget].per]
            spenders[settings.budget, owner] += run.sent(name, "up", "samples", "statistics")
    for (name, _), spent_by in spenders.items():
        budget = run.scenario.budgets[name]
        costly = [message for message in spent_by if message["payload_bytes"] + message["header_bytes"]]
        messages = sorted(costly, key=lambda message: message["queued"])
        sizes = [message["payload_bytes"] + message["header_bytes"] for message in messages]
        if budget.burst_bytes is not None:
            level, since = Fraction(budget.burst_bytes), 0
            for message, size in zip(messages, sizes, strict=True):
                gained = Fraction(message["queued"] - since, 10**9) * Fraction(budget.rate_kbps) * 1000 / 8
                level = min(level + gained, Fraction(budget.burst_bytes)) - size
                since = message["queued"]
                assert level >= 0
        if budget.allowance_bytes is not None:
            spent = Counter()
            for message, size in zip(messages, sizes, strict=True):
                period, elapsed = divmod(message["queued"] - ns(budget.starts_at_s), ns(budget.period_s))
                assert period >= 0
                spent[period] += size
                assert spent[period] <= budget.allowance_bytes
                if budget.pacing == "even":
                    share = Fraction(elapsed, ns(budget.period_s))
                    assert spent[period] <= budget.allowance_bytes * share + budget.ahead_bytes


def questions_that_are_lost_are_not_waited_for(run):
    """Who asks in vain has lost the batch; what is lost otherwise is lost to a crash or an absence."""
    for name in run.names:
        asked = [batch for batch in run.seen(name) if batch["start"] is not None and batch["version"] is None]
        if not asked:
            continue
        (row,) = (row for row in run.devices if row["device"] == name)
        size = run.settings(name).stream.batch_size
        lost = row["samples_lost_by_uplink"] + row["samples_refused"] + row["samples_lost_by_cloud"]
        lost += sum(size for step in run.updates if (step["student"], step["status"]) == (name, "lost"))
        lost += sum(m["samples"] for m in run.sent(name, "down", "answer") if m["status"] == "failed")
        in_vain = sum(batch["samples"] for batch in asked if batch["status"] == "lost")
        assert in_vain == lost or (in_vain > lost and run.absences(name))


LAWS_OF_ANY_WORLD = (
    accounts_balance_at_every_slice,
    what_has_happened_stays_so,
    tables_agree_with_the_accounts,
    the_summary_adds_up,
    questions_that_are_lost_are_not_waited_for,
    messages_are_in_order,
    versions_are_delivered_before_they_are_used,
    versions_never_go_back,
    who_is_away_does_nothing,
    budgets_are_not_overdrawn,
)


TROUBLES = {
    *("predicted", "dropped", "missed", "lost", "queued", "in_progress"),
    *("delivered", "in_flight", "superseded", "failed", "retried", "multicast"),
    *("samples", "statistics", "join", "update", "answer", "acknowledgement"),
    *("withheld", "waiting", "refused", "lost_by_cloud", "lost_by_uplink"),
    *("finished", "unfinished", "checkpoint", "crashed", "restarted"),
}


def troubles(run):
    """Return what a run tells of: states and kinds of rows, and what its samples came to."""
    found = {
        row[column]
        for rows in (run.batches, run.transfers, run.updates, run.cloud)
        for row in rows
        for column in ("status", "kind", "event")
        if column in row
    }
    found |= {
        state
        for state in ("withheld", "waiting", "refused", "lost_by_cloud", "lost_by_uplink")
        for row in run.devices
        if row[f"samples_{state}"]
    }
    found |= {"retried" for message in run.transfers if message["attempts"] > 1}
    return found | {"multicast" for message in run.transfers if message["device"] in run.channels}


def check_any(tiny, folder, number):
    """Hold a troubled fleet against the laws, and return its run."""
    finished = run(tiny, folder, troubled_scenario(number))
    for law in LAWS_OF_ANY_WORLD:
        law(finished)
    return finished


@fleets(15)
def test_laws_where_everything_fails(tiny, tmp_path_factory, number):
    check_any(tiny, tmp_path_factory.mktemp("fleet"), number)


def test_everything_fails_in_some_of_the_first_fleets(tiny, tmp_path):
    """All of it happens somewhere, or the laws would say nothing of it."""
    found = set()
    for number in range(30):
        found |= troubles(check_any(tiny, tmp_path / str(number), number))
    assert found >= TROUBLES


@fleets(3)
def test_the_same_seed_gives_the_same_tables_whoever_looks_on(tiny, tmp_path_factory, number):
    folders = [tmp_path_factory.mktemp("fleet") for _ in range(2)]
    for folder, slices in zip(folders, (SLICES, 1), strict=True):
        run(tiny, folder, troubled_scenario(number), slices)
    for table in TABLES:
        first, second = ((folder / table).read_bytes() for folder in folders)
        assert first == second, table
