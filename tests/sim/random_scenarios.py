"""Scenarios drawn at random, as changes to the tiny one of the fixtures.

What can be drawn is plain data: a list has the choices, all alike, and a pair of dictionaries is a part of a scenario,
with the fields that are always there and those that may be left out. A new field is a line in one of them.
"""

from __future__ import annotations

import math
from random import Random

from hypothesis import strategies as st

DURATION_S = 4.0
TAKEN = 0.5
"""Probability that a field is there which may be left out."""

LINK = (
    {
        "uplink_mbps": [0.002, 0.01, 0.05, 1.0, math.inf],
        "downlink_mbps": [0.0005, 0.002, 0.05, 1.0, math.inf],
    },
    {
        "latency_ms": [0.0, 0.3, 20.0, 700.0],
        "jitter_ms": [1.0, 200.0],
        "loss": [0.05, 0.5],
        "uplink_latency_ms": [80.0],
        "downlink_loss": [0.2],
        "packet_bytes": [50, 1460],
        "header_bytes": [0, 5, 40],
        "cell": ["town"],
    },
)
CELL = (
    {"uplink_mbps": [0.005, 0.03, 1.0, math.inf], "downlink_mbps": [0.002, 0.03, 1.0, math.inf]},
    {},
)
STREAM = (
    {"rate_hz": [0.7, 2.0, 5.0], "batch_size": range(1, 5)},
    {"arrival": ["poisson"], "labels": ["sorted", {"dirichlet": 0.1}]},
)
COMPUTE = ({"gflops": [0.0001, 0.0003, 0.01, math.inf]}, {"overhead_ms": [1.0, 300.0]})
QUEUE = ({"capacity": range(1, 5)}, {"overflow": ["drop_newest"]})
SHIFT = ({"corruption": ["gaussian_noise", "fog"], "severity": range(1, 6)}, {})
CLOUD = (
    {"gflops": [0.001, 1.0, math.inf]},
    {"accelerators": [2, 3], "overhead_ms": [1.0, 200.0], "update_codec": ["fp32", "int8"]},
)
LEARNING = {
    "student_scope": ["group", "device"],
    "statistics": ["distributed", "source"],
    "publish_every_steps": [2],
}
KEEP_ALL = {"unreliable": None, "low_informative": None, "redundant": None}
REPLAY = ({"capacity": [16], "minimum": [4], "ratio": [1]}, {"replay_only_steps": [True]})
LEARNERS = [
    ({"name": ["cema"], "batch_size": [2, 4], "criteria": [KEEP_ALL], "replay": REPLAY}, LEARNING),
    ({"name": ["random_selection"], "batch_size": [2, 4], "share": [0.3, 1.0], "replay": REPLAY}, LEARNING),
    ({"name": ["tent"], "batch_size": [2, 4]}, LEARNING),
]
STRATEGIES = [
    *LEARNERS,
    ({"name": ["offload"]}, {"adapt": [True], "batch_size": [4]}),
    ({"name": ["source", "statistics_only", "tent_on_device"]}, {}),
]
GROUP = (
    {"count": [1, 2], "stream": STREAM, "compute": COMPUTE, "link": LINK},
    {"queue": QUEUE, "upload_codec": ["raw", "jpeg"]},
)
SCENARIO = (
    {"duration_s": [DURATION_S], "strategy": STRATEGIES, "cloud": CLOUD},
    {"resets_s": [[0.9], [3.2], [0.9, 1.7]]},
)
GROUPS = [("cameras",), ("drones",), ("cameras", "drones")]


def draw(random, choices):
    """Draw one of several choices, and of a part a value of each field."""
    choice = choices if isinstance(choices, tuple) else random.choice(choices)
    if not isinstance(choice, tuple):
        return choice
    always, perhaps = choice
    taken = always | {name: values for name, values in perhaps.items() if random.random() < TAKEN}
    return {name: draw(random, values) for name, values in taken.items()}


def perhaps(random):
    return random.random() < TAKEN


def scenario(number, groups=GROUPS):
    """Draw the changes that make a scenario of `TinyWorld.describe`, the same for the same number."""
    random = Random(number)
    drawn = {"seed": number} | draw(random, SCENARIO)
    drawn["groups"] = {name: draw(random, GROUP) for name in random.choice(groups)}
    for group in drawn["groups"].values():
        if perhaps(random):
            group["schedule"] = [{"duration_s": 1.5}, draw(random, SHIFT)]
    if any("cell" in group["link"] for group in drawn["groups"].values()):
        drawn["cells"] = {"town": draw(random, CELL)}
    return drawn


OUTAGES = [
    ({"mean_up_s": [0.3, 1.0], "mean_down_s": [0.1, 0.5]}, {}),
    {"scheduled_s": [[0.5, 0.9], [2.0, 2.6]]},
]
VARYING_MBPS = [
    {
        "model": "gauss_markov",
        "mean_mbps": 0.02,
        "std_mbps": 0.01,
        "memory_s": 1,
        "step_s": 0.1,
        "least_mbps": 0.001,
    },
    {"model": "markov", "good_mbps": 0.05, "bad_mbps": 0, "mean_good_s": 0.5, "mean_bad_s": 0.3},
    {"model": "diurnal", "trough_mbps": 0, "peak_mbps": 0.03, "day_s": 2, "step_s": 0.1},
    {"model": "mahimahi", "file": "lte-drive.up"},
]
TROUBLED_LINK = (
    {"uplink_mbps": [0.02, 0.1, 1.0, math.inf], "downlink_mbps": [0.01, 0.05, 1.0, math.inf]},
    {
        "outages": OUTAGES,
        "on_outage": ["retry"],
        "retry": ({"first_backoff_s": [0.05, 0.4]}, {"most_attempts": range(1, 4)}),
        "outbox": ({"messages": range(3)}, {"overflow": ["drop_newest", "drop_least_informative"]}),
        "superseded": ["drop", "replace"],
        "acknowledgement_bytes": [20],
        "message_overhead_bytes": [7],
        "mathis_rtt_ms": [900.0],
        "region": ["country"],
        "latency_ms": [
            700.0,
            {"distribution": "normal", "mean_ms": 30, "std_ms": 20},
            {"distribution": "lognormal", "median_ms": 40, "sigma": 1},
            {"distribution": "empirical", "file": "latency-lte.csv"},
        ],
    },
)
TROUBLED_CELL = (
    {"uplink_mbps": [0.03, 0.2, math.inf, *VARYING_MBPS], "downlink_mbps": [0.02, 0.2, math.inf]},
    {"updates": ["multicast"], "outages": OUTAGES},
)
LIFE = [
    {"joins_s": 0.7, "leaves_s": 3.1},
    ({"crashes_s": [[1.3, 2.9]], "restart_s": [0.6], "state": ["kept", "lost"]}, {"joins_s": [0.2]}),
    ({"mean_present_s": [0.9], "mean_absent_s": [0.4]}, {"leaves_s": [{"from_s": 2, "to_s": 4}]}),
    {"mean_up_s": 0.8, "mean_down_s": 0.3, "mean_present_s": 1.2, "mean_absent_s": 0.3, "state": "lost"},
]
BUCKETS = [{"rate_kbps": rate, "burst_bytes": burst} for rate in (2.0, 8.0) for burst in (1500, 3000)]
ALLOWANCES = [
    {"allowance_bytes": 1500, "period_s": 1.0},
    {"allowance_bytes": 3000, "period_s": 2.0, "starts_at_s": 0.5},
    {"allowance_bytes": 2000, "period_s": 1.5, "pacing": "even", "ahead_bytes": 800},
    {"allowance_bytes": 4000, "period_s": 5.0, "pacing": "even", "ahead_bytes": 1500},
]
LIMITS = [
    *BUCKETS,
    *ALLOWANCES,
    *(bucket | allowance for bucket, allowance in zip(BUCKETS, ALLOWANCES, strict=True)),
]
SPENDING = (
    {
        "per": ["device", "group", "fleet"],
        "excess": ["drop", "wait", "replace"],
        "rank": ["arrival", "entropy", "redundancy", "age"],
        "waiting_samples": range(1, 9),
    },
    {},
)
FOUR_IMAGES_BYTES = 5000
"""More than a message of so many takes, whatever they are encoded as and packed into."""
LOWER = [{"codec": "jpeg", "quality": 30}, {"codec": "jpeg", "quality": 5, "scale": 0.5}]
TROUBLED_CLOUD = (
    {"gflops": [0.02, 1.0, math.inf]},
    {
        "crashes": [
            {"at_s": [1.1, 2.5], "restart_s": 0.3, "checkpoint_every_s": 0.5},
            {"at_s": [1.1], "restart_s": 0.8},
        ],
        "inbox": (
            {"discipline": ["first_in_first_out", "fair_per_device", "most_informative_first"]},
            {"capacity": range(3), "overflow": ["drop_oldest", "drop_least_informative"]},
        ),
        "autoscaling": [
            {"most_accelerators": 5, "waiting_per_accelerator": 0.5, "start_up_s": 0.2, "idle_s": 0.3}
        ],
    },
)


def troubled_scenario(number):
    """Draw as `scenario` does, with outages, devices that come and go, budgets and clouds that crash.

    All else is quick enough for much to happen before.
    """
    random, drawn = Random(number), scenario(number, GROUPS[-1:])
    if drawn["strategy"]["name"] in ("source", "tent_on_device"):  # they send nothing
        drawn["strategy"] = draw(random, LEARNERS)
    drawn["cloud"] |= draw(random, TROUBLED_CLOUD)
    for group in drawn["groups"].values():
        group["compute"]["gflops"] = random.choice([0.001, 0.01, math.inf])
        group["link"] |= draw(random, TROUBLED_LINK)
        if "cell" not in group["link"] and perhaps(random):
            group["link"]["uplink_mbps"] = draw(random, VARYING_MBPS)
        if perhaps(random):
            group["life"] = draw(random, LIFE)
        if perhaps(random):
            group["budget"] = "small"
        if perhaps(random):
            group["queue"] = group.get("queue", {}) | {"skip_after_s": 0.4}
        if perhaps(random):
            followed = [{"by": "link", "target_s": 0.3}] + [{"by": "budget"}] * ("budget" in group)
            group["upload_quality"] = {"lower": LOWER} | random.choice(followed)
        if "arrival" not in group["stream"] and perhaps(random):
            group["clock"] = {"drift_ppm": 5000}
    if any("region" in group["link"] for group in drawn["groups"].values()):
        drawn["regions"] = {"country": {"outages": draw(random, OUTAGES)}}
    if "cells" in drawn:
        drawn["cells"]["town"] = draw(random, TROUBLED_CELL)
    if any("budget" in group for group in drawn["groups"].values()):
        drawn["budgets"] = {"small": _budget(random, drawn["strategy"]["name"])}
    _agree(drawn)
    return drawn


def _agree(drawn):
    """Leave nothing that can have no effect, which is a mistake, or that the links of a cell have to agree on."""
    together = drawn.get("cells", {}).get("town", {}).get("updates") == "multicast"
    links = [group["link"] for group in drawn["groups"].values()]
    members = [link for link in links if "cell" in link]
    for link in links:
        if "retry" in link:
            link["on_outage"] = "retry"
        if "mathis_rtt_ms" in link and not {"loss", "downlink_loss"} & link.keys():
            link["loss"] = 0.05
    for link in members[1:] if together else ():
        for field in ("on_outage", "retry", "superseded"):
            link.pop(field, None)
            if field in members[0]:
                link[field] = members[0][field]


def _budget(random, strategy):
    budget = draw(random, LIMITS) | draw(random, SPENDING)
    if budget["excess"] == "drop":
        del budget["waiting_samples"]
    if strategy == "offload":  # what asks for an answer must fit
        budget |= dict.fromkeys(budget.keys() & {"burst_bytes", "allowance_bytes"}, FOUR_IMAGES_BYTES)
    return budget


def troubled_scenarios():
    """Return a strategy that draws them by their numbers."""
    return st.integers(0, 2**32 - 1).map(troubled_scenario)
