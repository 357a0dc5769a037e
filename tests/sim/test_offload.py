"""Offloaded inference on the simulated clock: the way of a batch to the cloud and back, and the accounts it leaves."""

import math

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sim.results import TABLES

LINK = {"uplink_mbps": 0.05, "downlink_mbps": 0.1, "latency_ms": 20.0}
FORWARD_FLOPS = 2 * (64 * 4 * 9 + 2 * 64 * 4 * 4 * 9 + 16 * 8 * (4 * 9 + 8 * 9 + 4) + 8 * 10)
"""Of the tiny foundation model, for one image: the stem, two blocks, the second with a shortcut, the classifier."""


def group(tiny, **changes):
    """One device with two images of 64 bytes a batch."""
    return tiny.group(
        **{
            "stream": {"rate_hz": 2.0, "batch_size": 2, "phase": "zero"},
            "link": LINK,
            "upload_codec": "raw",
            **changes,
        }
    )


def run(tiny, folder, adapt=False, cloud=None, duration_s=10.0, **changes):
    """Run one scenario and return its tables as rows."""
    tiny.run(
        folder,
        strategy={"name": "offload", "adapt": adapt, "batch_size": 6},
        cloud={"gflops": 1.0, "overhead_ms": 5.0} | (cloud or {}),
        groups={"cameras": group(tiny, **changes)},
        duration_s=duration_s,
    )
    return {name.removesuffix(".parquet"): pq.read_table(folder / name).to_pylist() for name in TABLES}


def test_a_prediction_takes_the_way_up_the_cloud_and_the_way_down(tiny, tmp_path):
    """136 bytes and a header up, 20 ms, 5 ms and the operations of two passes, 4 bytes and a header down, 20 ms."""
    tables = run(tiny, tmp_path)
    up, cloud, down = 8 * 176 / 0.05e6, 0.005 + 2 * FORWARD_FLOPS / 1e9, 8 * 44 / 0.1e6
    latency = up + 0.020 + cloud + down + 0.020
    assert latency == pytest.approx(0.076820608)
    assert len(tables["batches"]) == 20
    for number, row in enumerate(tables["batches"]):
        assert (row["status"], row["arrival_s"], row["start_s"]) == ("predicted", number / 2, number / 2)
        assert row["completion_s"] == pytest.approx(number / 2 + latency, abs=5e-9)
        assert (row["version"], row["version_age_s"], row["versions_behind"]) == (None, None, None)
        assert (row["flops"], row["kept"], row["verdict"]) == (0, 2, ["kept", "kept"])


def test_answers_are_those_of_the_deployed_foundation_model(tiny, tmp_path):
    scenario = tiny.scenario()
    data = scenario.data.load()
    network = scenario.models.foundation.load().network.eval()
    import torch  # noqa: PLC0415

    for row in run(tiny, tmp_path)["batches"]:
        x = torch.from_numpy(data.images[row["image"]]).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            logits = network((x - 0.5) / 0.25)
        assert row["prediction"] == logits.argmax(1).tolist()
        p = logits.softmax(1)
        assert row["entropy"] == pytest.approx((-(p * p.log()).sum(1)).tolist(), abs=1e-5)
        assert row["correct"] == sum(a == b for a, b in zip(row["prediction"], row["label"], strict=True))


def test_accounts(tiny, tmp_path):
    tables = run(tiny, tmp_path)
    (device,) = tables["devices"]
    assert (device["student"], device["version"], device["flops"], device["busy_s"]) == (
        "cameras-0",
        None,
        0,
        0,
    )
    assert (device["samples_arrived"], device["samples_predicted"], device["samples_uploaded"]) == (
        40,
        40,
        40,
    )
    assert (device["uplink_delivered_bytes"], device["downlink_delivered_bytes"]) == (20 * 176, 20 * 44)
    transfers = tables["transfers"]
    assert [(row["direction"], row["kind"]) for row in transfers] == [
        ("up", "samples"),
        ("down", "answer"),
    ] * 20
    assert all((row["status"], row["samples"]) == ("delivered", 2) for row in transfers)
    for step in tables["updates"]:
        assert (step["student"], step["kind"], step["new_samples"]) == ("cameras-0", "answer", 2)
        assert (step["flops"], step["version"]) == (2 * FORWARD_FLOPS, None)


def test_batches_without_an_answer_at_the_end_are_in_progress(tiny, tmp_path):
    """The uplink takes 0.704 s for a batch and one comes every 0.5 s; the last answers are on their way."""
    link = {**LINK, "uplink_mbps": 0.002, "latency_ms": 800.0}
    tables = run(tiny, tmp_path, duration_s=9.9, link=link)
    statuses = [row["status"] for row in sorted(tables["batches"], key=lambda row: row["batch"])]
    answered = statuses.count("predicted")
    assert statuses == ["predicted"] * answered + ["in_progress"] * (20 - answered)
    # The first is sent by 0.704 s, the k-th by 0.704 k; 1.6 s and 9 ms later its answer is there.
    assert answered == math.floor((9.9 - 1.6 - 0.008660608) / 0.704) == 11
    (device,) = tables["devices"]
    assert (device["samples_predicted"], device["samples_in_progress"]) == (2 * answered, 40 - 2 * answered)
    assert device["samples_uploaded"] == device["samples_arrived"] == 40
    assert device["samples_queued"] == device["samples_dropped"] == 0
    for way in ("up", "down"):
        account = {
            state: device[f"{way}link_{state}_bytes"]
            for state in ("queued", "sent", "delivered", "lost", "in_flight")
        }
        assert account["sent"] == account["delivered"] + account["lost"] + account["in_flight"]
    assert device["uplink_queued_bytes"] > 0
    assert device["uplink_in_flight_bytes"] > 0
    assert sum(row["payload_bytes"] + row["header_bytes"] for row in tables["transfers"]) == (
        device["uplink_queued_bytes"] + device["uplink_sent_bytes"] + device["downlink_sent_bytes"]
    )


QUESTION, ANSWER = 136 + 40, 4 + 40
"""Bytes of a batch of two and of its answer."""


@pytest.mark.parametrize(
    ("link", "statuses", "lost_by_uplink"),
    [
        # A question takes 0.704 s and one comes every half second; one can wait. Turns come at 0, 0.704, 1.408, 2.112,
        # ..., 5.632 s: those of 2.0, 3.5 and 5.5 s find another waiting. The end comes amid that of 5.0 s.
        (
            {"uplink_mbps": 0.002, "outbox": {"messages": 1, "overflow": "drop_newest"}},
            "pppplpplppil",
            3,
        ),
        # From 1 s to 2.2 s no attempt is made twice, so that three questions fail.
        (
            {
                "uplink_mbps": 1.0,
                "outages": {"scheduled_s": [[0.95, 2.2]]},
                "on_outage": "retry",
                "retry": {"most_attempts": 1},
            },
            "pplllppppppp",
            3,
        ),
    ],
)
def test_a_question_that_never_arrives_is_forgotten(tiny, tmp_path, link, statuses, lost_by_uplink):
    tables = run(tiny, tmp_path, duration_s=6.0, link=LINK | link)
    found = [row["status"][0] for row in sorted(tables["batches"], key=lambda row: row["batch"])]
    assert "".join(found) == statuses
    (device,) = tables["devices"]
    counted = ("uploaded", "lost_by_uplink", "lost", "in_progress")
    lost = 2 * lost_by_uplink
    assert [device[f"samples_{state}"] for state in counted] == [
        24 - lost,
        lost,
        lost,
        2 * statuses.count("i"),
    ]


def test_a_batch_whose_answer_never_arrives_is_lost(tiny, tmp_path):
    """Its question arrives in 3.5 ms, and the answer, of 0.176 s, fails as the outage begins."""
    link = {"uplink_mbps": 1.0, "downlink_mbps": 8 * ANSWER / 0.176e6, "latency_ms": 0.0}
    link |= {"outages": {"scheduled_s": [[1.1, 1.2]]}, "on_outage": "retry", "retry": {"most_attempts": 1}}
    tables = run(tiny, tmp_path, duration_s=2.0, link=link)
    statuses = [row["status"] for row in sorted(tables["batches"], key=lambda row: row["batch"])]
    assert statuses == ["predicted", "predicted", "lost", "predicted"]
    (device,) = tables["devices"]
    assert (device["samples_uploaded"], device["samples_lost_by_uplink"], device["samples_lost"]) == (8, 0, 2)


def test_counts_balance_at_any_time(tiny, tmp_path):
    scenario = tiny.scenario(
        strategy={"name": "offload", "adapt": True, "batch_size": 4},
        groups={"cameras": group(tiny, count=3, link={**LINK, "uplink_mbps": 0.002, "loss": 0.2})},
    )
    simulation = tiny.simulation(scenario, tmp_path)
    most = 0

    def check(_):
        nonlocal most
        for device in simulation.devices.values():
            counts = device.counts
            assert counts.arrived == counts.predicted + counts.queued + counts.in_progress + counts.dropped
            most = max(most, counts.in_progress)
        for link in (*simulation.uplinks.values(), *simulation.downlinks.values()):
            assert link.ledger.sent == link.ledger.delivered + link.ledger.lost + link.ledger.in_flight

    with simulation.recorder:
        simulation.run(check)
    assert most > 2  # several batches of one device are on their way at once


def test_devices_are_answered_side_by_side_and_each_in_order(tiny, tmp_path):
    tables = run(
        tiny, tmp_path, cloud={"accelerators": 2, "overhead_ms": 300.0}, count=3, link=LINK, duration_s=6.0
    )
    steps = sorted(tables["updates"], key=lambda row: row["start_s"])
    assert len({row["student"] for row in steps}) == 3
    overlaps = [
        (a["student"], b["student"])
        for i, a in enumerate(steps)
        for b in steps[i + 1 :]
        if b["start_s"] < a["finish_s"]
    ]
    assert overlaps
    assert all(one != other for one, other in overlaps)
    for device in ("cameras-0", "cameras-1", "cameras-2"):
        rows = [row for row in tables["batches"] if row["device"] == device and row["status"] == "predicted"]
        done = [row["completion_s"] for row in sorted(rows, key=lambda row: row["batch"])]
        assert done == sorted(done)


def test_adaptation_follows_the_answers(tiny, tmp_path):
    """Every third upload of two fills a batch of six, whose step begins when the upload is answered."""
    steps = run(tiny, tmp_path, adapt=True)["updates"]
    assert [row["kind"] for row in steps] == ["answer", "answer", "answer", "batch"] * 6 + ["answer"] * 2
    for answer, adaptation in zip(steps[2::4], steps[3::4], strict=False):
        assert (adaptation["student"], adaptation["new_samples"], adaptation["version"]) == (
            "foundation",
            6,
            None,
        )
        assert adaptation["ready_s"] == answer["ready_s"]
        assert adaptation["start_s"] == answer["finish_s"]
        assert adaptation["foundation_loss"] > 0


def test_adaptation_changes_what_is_answered_later(tiny, tmp_path):
    deployed, adapted = (
        [row["entropy"] for row in run(tiny, tmp_path / str(adapt), adapt=adapt)["batches"]]
        for adapt in (False, True)
    )
    assert deployed[:3] == adapted[:3]
    assert all(a != b for a, b in zip(deployed[3:], adapted[3:], strict=True))


def test_a_scenario_needs_a_foundation_model(tiny):
    assert tiny.scenario(strategy="offload").strategy[0].name == "offload"
    models = {"edge": tiny.describe()["models"]["edge"]}
    with pytest.raises(ValidationError, match="'offload' needs a foundation model"):
        tiny.scenario(strategy="offload", models=models)
