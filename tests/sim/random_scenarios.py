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
