"""Scenarios drawn at random, as changes to the tiny one of the fixtures.

Each part of a scenario is a pair of dictionaries: fields that are always there, and fields that may be left out. A new
field is a line in one of them.
"""

from __future__ import annotations

import math

from hypothesis import strategies as st

DURATION_S = 4.0
# Fields of each part of a scenario: those that are always there, then those that may be left out.

LINK = (
    {
        "uplink_mbps": st.sampled_from([0.002, 0.01, 0.05, 1.0, math.inf]),
        "downlink_mbps": st.sampled_from([0.0005, 0.002, 0.05, 1.0, math.inf]),
    },
    {
        "latency_ms": st.sampled_from([0.0, 0.3, 20.0, 700.0]),
        "jitter_ms": st.sampled_from([1.0, 200.0]),
        "loss": st.sampled_from([0.05, 0.5]),
        "uplink_latency_ms": st.just(80.0),
        "downlink_loss": st.just(0.2),
        "packet_bytes": st.sampled_from([50, 1460]),
        "header_bytes": st.sampled_from([0, 5, 40]),
        "cell": st.just("town"),
    },
)
CELL = (
    {
        "uplink_mbps": st.sampled_from([0.005, 0.03, 1.0, math.inf]),
        "downlink_mbps": st.sampled_from([0.002, 0.03, 1.0, math.inf]),
    },
    {},
)
STREAM = (
    {"rate_hz": st.sampled_from([0.7, 2.0, 5.0]), "batch_size": st.integers(1, 4)},
    {
        "arrival": st.just("poisson"),
        "labels": st.sampled_from(["sorted", {"dirichlet": 0.1}]),
    },
)
COMPUTE = (
    {"gflops": st.sampled_from([0.0001, 0.0003, 0.01, math.inf])},
    {"overhead_ms": st.sampled_from([1.0, 300.0])},
)
QUEUE = (
    {"capacity": st.integers(1, 4)},
    {"overflow": st.just("drop_newest")},
)
SHIFT = (
    {"corruption": st.sampled_from(["gaussian_noise", "fog"]), "severity": st.integers(1, 5)},
    {},
)
CLOUD = (
    {"gflops": st.sampled_from([0.001, 1.0, math.inf])},
    {
        "accelerators": st.integers(2, 3),
        "overhead_ms": st.sampled_from([1.0, 200.0]),
        "update_codec": st.sampled_from(["fp32", "int8"]),
    },
)
LEARNING = (
    {"batch_size": st.sampled_from([2, 4])},
    {
        "student_scope": st.sampled_from(["group", "device"]),
        "statistics": st.sampled_from(["distributed", "source"]),
        "publish_every_steps": st.just(2),
    },
)


def fields(part, **more):
    """Draw a part of a scenario as plain data."""
    always, perhaps = part
    return st.fixed_dictionaries(always | more, optional=perhaps)


def learning(name, **more):
    """Draw a strategy whose cloud learns."""
    return fields(LEARNING, name=st.just(name), **more)


REPLAY = st.fixed_dictionaries(
    {"capacity": st.just(16), "minimum": st.just(4), "ratio": st.just(1)},
    optional={"replay_only_steps": st.just(True)},
)
KEEP_ALL = st.just({"unreliable": None, "low_informative": None, "redundant": None})
STRATEGIES = st.one_of(
    learning("cema", criteria=KEEP_ALL, replay=REPLAY),
    learning("random_selection", share=st.sampled_from([0.3, 1.0]), replay=REPLAY),
    learning("tent"),
    st.fixed_dictionaries(
        {"name": st.just("offload")}, optional={"adapt": st.just(True), "batch_size": st.just(4)}
    ),
    st.sampled_from([{"name": name} for name in ("source", "statistics_only", "tent_on_device")]),
)
GROUP = (
    {
        "count": st.integers(1, 2),
        "stream": fields(STREAM),
        "compute": fields(COMPUTE),
        "link": fields(LINK),
    },
    {
        "queue": fields(QUEUE),
        "schedule": st.tuples(st.just({"duration_s": 1.5}), fields(SHIFT)).map(list),
        "upload_codec": st.sampled_from(["raw", "jpeg"]),
    },
)
SCENARIO = (
    {
        "seed": st.integers(0, 2**32 - 1),
        "duration_s": st.just(DURATION_S),
        "strategy": STRATEGIES,
        "cloud": fields(CLOUD),
        "groups": st.dictionaries(st.sampled_from(["cameras", "drones"]), fields(GROUP), min_size=1),
    },
    {"resets_s": st.lists(st.sampled_from([0.9, 1.7, 3.2]), min_size=1, unique=True).map(sorted)},
)


@st.composite
def scenarios(draw):
    """Draw the changes that make a scenario of `TinyWorld.describe`."""
    scenario = draw(fields(SCENARIO))
    if any("cell" in group["link"] for group in scenario["groups"].values()):
        scenario["cells"] = {"town": draw(fields(CELL))}
    return scenario


OUTAGES = st.one_of(
    st.fixed_dictionaries(
        {"mean_up_s": st.sampled_from([0.3, 1.0]), "mean_down_s": st.sampled_from([0.1, 0.5])}
    ),
    st.just({"scheduled_s": [[0.5, 0.9], [2.0, 2.6]]}),
)
TROUBLED_LINK = {
    "outages": OUTAGES,
    "on_outage": st.sampled_from(["pause", "retry"]),
    "retry": st.fixed_dictionaries(
        {"first_backoff_s": st.sampled_from([0.05, 0.4])}, optional={"most_attempts": st.integers(1, 4)}
    ),
    "outbox": st.fixed_dictionaries(
        {"messages": st.integers(0, 2)},
        optional={"overflow": st.sampled_from(["drop_newest", "drop_least_informative"])},
    ),
    "superseded": st.sampled_from(["drop", "replace"]),
    "acknowledgement_bytes": st.just(20),
    "message_overhead_bytes": st.just(7),
    "region": st.just("country"),
    "latency_ms": st.sampled_from(
        [
            {"distribution": "normal", "mean_ms": 30, "std_ms": 20},
            {"distribution": "lognormal", "median_ms": 40, "sigma": 1},
        ]
    ),
}
VARYING_MBPS = st.sampled_from(
    [
        {
            "model": "gauss_markov",
            "mean_mbps": 0.02,
            "std_mbps": 0.01,
            "memory_s": 1,
            "step_s": 0.1,
            "least_mbps": 0.001,
        },
        {"model": "markov", "good_mbps": 0.05, "bad_mbps": 0, "mean_good_s": 0.5, "mean_bad_s": 0.3},
    ]
)
LIFE = st.one_of(
    st.just({"joins_s": 0.7, "leaves_s": 3.1}),
    st.fixed_dictionaries(
        {
            "crashes_s": st.just([1.3, 2.9]),
            "restart_s": st.just(0.6),
            "state": st.sampled_from(["kept", "lost"]),
        }
    ),
    st.just({"mean_present_s": 0.9, "mean_absent_s": 0.4}),
)
RATE = st.fixed_dictionaries(
    {"rate_kbps": st.sampled_from([2.0, 20.0]), "burst_bytes": st.sampled_from([1500, 4000])}
)
ALLOWANCE = st.one_of(
    st.just({"allowance_bytes": 2000, "period_s": 1.0}),
    st.just({"allowance_bytes": 5000, "period_s": 2.0, "starts_at_s": 0.5}),
    st.just({"allowance_bytes": 3000, "period_s": 1.5, "pacing": "even", "ahead_bytes": 1200}),
)
LIMITS = st.one_of(RATE, ALLOWANCE, st.builds(lambda rate, allowance: rate | allowance, RATE, ALLOWANCE))
EXCESS = st.fixed_dictionaries(
    {
        "excess": st.sampled_from(["drop", "wait", "replace"]),
        "rank": st.sampled_from(["arrival", "entropy", "redundancy", "age"]),
        "waiting_samples": st.integers(1, 8),
    },
    optional={"per": st.sampled_from(["group", "fleet"])},
)
BUDGET = st.builds(lambda limits, excess: limits | excess, LIMITS, EXCESS)
TROUBLED_CLOUD = {
    "crashes": st.sampled_from(
        [{"at_s": [1.1, 2.5], "restart_s": 0.3, "checkpoint_every_s": 0.5}, {"at_s": [1.1], "restart_s": 0.8}]
    ),
    "inbox": st.fixed_dictionaries(
        {"discipline": st.sampled_from(["first_in_first_out", "fair_per_device", "most_informative_first"])},
        optional={
            "capacity": st.integers(0, 2),
            "overflow": st.sampled_from(["drop_oldest", "drop_least_informative"]),
        },
    ),
    "autoscaling": st.just(
        {"most_accelerators": 5, "waiting_per_accelerator": 0.5, "start_up_s": 0.2, "idle_s": 0.3}
    ),
}


@st.composite
def troubled_scenarios(draw):
    """Draw changes as `scenarios` does, with outages, devices that come and go, budgets and clouds that crash."""
    scenario = draw(scenarios())
    scenario["cloud"] |= draw(st.fixed_dictionaries({}, optional=TROUBLED_CLOUD))
    for group in scenario["groups"].values():
        group["link"] |= draw(st.fixed_dictionaries({}, optional=TROUBLED_LINK))
        if "cell" not in group["link"] and draw(st.booleans()):
            group["link"]["uplink_mbps"] = draw(VARYING_MBPS)
        if draw(st.booleans()):
            group["life"] = draw(LIFE)
        if draw(st.booleans()):
            group["budget"] = "small"
        if draw(st.booleans()):
            group["queue"] = group.get("queue", {}) | {"skip_after_s": 0.4}
        if draw(st.booleans()):
            group["upload_quality"] = {
                "by": "link",
                "target_s": 0.3,
                "lower": [{"codec": "jpeg", "quality": 30}],
            }
    links = [group["link"] for group in scenario["groups"].values()]
    if any("region" in link for link in links):
        scenario["regions"] = {"country": {"outages": draw(OUTAGES)}}
    if "cells" in scenario:
        scenario["cells"]["town"] |= draw(
            st.fixed_dictionaries(
                {},
                optional={"updates": st.just("multicast"), "outages": OUTAGES, "uplink_mbps": VARYING_MBPS},
            )
        )
    if any("budget" in group for group in scenario["groups"].values()):
        scenario["budgets"] = {"small": draw(BUDGET)}
    return scenario
