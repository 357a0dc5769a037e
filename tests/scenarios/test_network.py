from __future__ import annotations

import json
import math
import re

import pytest

from scenarios import loader
from scenarios.network import Cell, Link, Outages, Outbox, Retry
from tests.scenarios.mistaken import MINIMAL, errors, told

LINK = {"uplink_mbps": 1.0, "downlink_mbps": 2.0}
CELL = {"uplink_mbps": 5.0, "downlink_mbps": 5.0}


def test_a_link_without_a_word_of_it_is_constant_and_never_down():
    link = Link.model_validate(LINK)
    assert (link.outages, link.on_outage, link.superseded, link.outbox.bounded) == (
        None,
        "pause",
        "keep",
        False,
    )
    assert (link.acknowledgement_bytes, link.message_overhead_bytes, link.mathis_rtt_ms) == (0, 0, None)
    assert (link.cell, link.region, link.transmit_w, link.receive_w) == (None, None, None, None)
    assert Cell.model_validate(CELL).updates == "unicast"


@pytest.mark.parametrize(
    ("scheduled", "message"),
    [
        ([[5, 5]], "an outage must end after it begins, unlike [5, 5]"),
        ([[1, 4], [3, 6]], "outages must be apart and in order, but one to 4 is followed by one from 3"),
        ([[1, 4], [4, 6]], "outages must be apart and in order, but one to 4 is followed by one from 4"),
        ([[5, 6], [1, 2]], "outages must be apart and in order, but one to 6 is followed by one from 1"),
        ([[2592000.5, 2592000.25]], "an outage must end after it begins, unlike [2592000.5, 2592000.25]"),
    ],
)
def test_scheduled_outages_follow_one_another(scheduled, message):
    assert errors(Outages, {"scheduled_s": scheduled}) == [(("scheduled_s",), message)]


@pytest.mark.parametrize(
    ("scheduled", "places"),
    [([1, 2], [0, 1]), ([[1]], [0]), ([[0, 1], [2, 3, 4]], [1]), ([{"from": 1, "to": 2}], [0])],
)
def test_an_outage_is_an_interval(scheduled, places):
    message = "must be an interval [from, to]"
    found = errors(Outages, {"scheduled_s": scheduled})
    assert found == [(("scheduled_s", place), message) for place in places]


@pytest.mark.parametrize("given", [{"mean_up_s": 5}, {"mean_down_s": 5}])
def test_random_outages_need_both_means(given):
    message = "mean_up_s and mean_down_s belong together: give both, or none"
    assert errors(Outages, given) == [(("mean_down_s",), message)]


@pytest.mark.parametrize(
    ("given", "longest"),
    [({"first_backoff_s": 90}, 60), ({"first_backoff_s": 90, "longest_backoff_s": 5}, 5)],
)
def test_a_pause_is_never_meant_to_be_longer_than_the_longest(given, longest):
    message = f"must be at least first_backoff_s, 90, unlike {longest}"
    assert errors(Retry, given) == [(("longest_backoff_s",), message)]
    assert Retry.model_validate(given | {"longest_backoff_s": 90}).longest_backoff_s == 90


def test_outages_can_be_scheduled_and_random():
    outages = Outages.model_validate({"scheduled_s": [[0, 1], [2, 3]], "mean_up_s": 5, "mean_down_s": 1})
    assert outages.scheduled_s == ((0.0, 1.0), (2.0, 3.0))
    assert Outages.model_validate({}).scheduled_s == ()


@pytest.mark.parametrize(
    ("settings", "field", "value", "ok"),
    [
        (Retry, "first_backoff_s", 1e-3, True),
        (Retry, "first_backoff_s", 0, False),
        (Retry, "first_backoff_s", math.inf, False),
        (Retry, "factor", 1, True),
        (Retry, "factor", 0.99, False),
        (Retry, "factor", 10.1, False),
        (Retry, "longest_backoff_s", 0, False),
        (Retry, "most_attempts", 1, True),
        (Retry, "most_attempts", 0, False),
        (Outbox, "messages", 0, True),
        (Outbox, "messages", -1, False),
        (Outbox, "capacity_bytes", 0, True),
        (Outbox, "capacity_bytes", 0.5, False),
        (Outages, "mean_up_s", 1e-3, True),
        (Outages, "mean_up_s", 0, False),
        (Outages, "mean_up_s", 1e-9, False),
        (Outages, "mean_up_s", math.inf, False),
        (Outages, "scheduled_s", [[-1, 2]], False),
        (Outages, "scheduled_s", [[0, math.inf]], False),
    ],
)
def test_limits(settings, field, value, ok):
    others = {"mean_down_s": 1.0} if field == "mean_up_s" else {}
    if ok:
        settings.model_validate({field: value} | others)
    else:
        assert {location[0] for location, _ in errors(settings, {field: value} | others)} == {field}


ENORMOUS = 1e303
MEAN = {"mean_up_s": 1, "mean_down_s": 1}
MOST_S, MOST_MS = "must be at most 1000000000", "must be at most 1000000000000"
MOST_OR_INF = "must be at most 1000000000, or .inf for no limit"
DIURNAL = {"model": "diurnal", "trough_mbps": 1, "peak_mbps": 2}
GAUSS = {"model": "gauss_markov", "mean_mbps": 2, "std_mbps": 1}
MARKOV = {"model": "markov", "good_mbps": 2, "bad_mbps": 1, "mean_good_s": 1, "mean_bad_s": 1}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("uplink_mbps", ENORMOUS, MOST_OR_INF),
        ("uplink_mbps", DIURNAL | {"peak_mbps": ENORMOUS}, MOST_S),
        ("uplink_mbps", DIURNAL | {"day_s": ENORMOUS}, MOST_S),
        ("uplink_mbps", GAUSS | {"std_mbps": ENORMOUS}, MOST_S),
        ("uplink_mbps", GAUSS | {"memory_s": ENORMOUS}, MOST_S),
        ("uplink_mbps", MARKOV | {"good_mbps": ENORMOUS}, MOST_S),
        ("uplink_mbps", MARKOV | {"mean_bad_s": ENORMOUS}, MOST_S),
        ("uplink_mbps", {"model": "csv", "file": "rush-hour.csv", "repeat_every_s": ENORMOUS}, MOST_S),
        ("latency_ms", ENORMOUS, MOST_MS),
        ("latency_ms", {"distribution": "normal", "mean_ms": ENORMOUS, "std_ms": 1}, MOST_MS),
        ("latency_ms", {"distribution": "normal", "mean_ms": 1, "std_ms": ENORMOUS}, MOST_MS),
        ("latency_ms", {"distribution": "lognormal", "median_ms": ENORMOUS, "sigma": 1}, MOST_MS),
        ("latency_ms", {"distribution": "empirical", "values_ms": [1, ENORMOUS]}, MOST_MS),
        ("jitter_ms", ENORMOUS, MOST_MS),
        ("packet_bytes", 10**19, MOST_S),
        ("header_bytes", 10**19, MOST_S),
        ("message_overhead_bytes", 10**19, MOST_S),
        ("acknowledgement_bytes", 10**19, MOST_S),
        ("mathis_rtt_ms", 1e-300, "must be at least 1e-06"),
        ("mathis_rtt_ms", ENORMOUS, "must be at most 1000000000000, or .inf for one without end"),
        ("outages", {"scheduled_s": [[1, ENORMOUS]]}, MOST_S),
        ("outages", MEAN | {"mean_up_s": ENORMOUS}, MOST_S),
        ("outages", MEAN | {"mean_down_s": ENORMOUS}, MOST_S),
        ("retry", {"longest_backoff_s": ENORMOUS}, MOST_S),
        ("retry", {"first_backoff_s": ENORMOUS}, MOST_S),
    ],
)
def test_what_is_too_large_is_told_with_what_is_allowed(tmp_path, field, value, message):
    link = {"uplink_mbps": 10, "downlink_mbps": 40, field: value}
    head, text, _ = MINIMAL.partition("    link:\n")
    lines = [f"      {name}: {json.dumps(given)}" for name, given in link.items()]
    ((_, found),) = told(tmp_path, head + text + "\n".join(lines))
    assert found.startswith(f"groups.lte.link.{field}") and message in found


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        (
            {"retry": {"most_attempts": 3}},
            "retry",
            "nothing is sent again where on_outage is pause; give `on_outage: retry`",
        ),
        (
            {"mathis_rtt_ms": 50, "uplink_loss": 0},
            "mathis_rtt_ms",
            "caps nothing without loss; give loss, uplink_loss or downlink_loss",
        ),
    ],
)
def test_what_would_have_no_effect_is_a_mistake(given, field, message):
    assert errors(Link, LINK | given) == [((field,), message)]


def test_an_outbox_without_bounds_never_overflows():
    message = "an outbox without bounds never overflows; give messages or capacity_bytes"
    assert errors(Outbox, {"overflow": "drop_newest"}) == [(("overflow",), message)]
    for bound in ("messages", "capacity_bytes"):
        assert Outbox.model_validate({bound: 0, "overflow": "drop_newest"}).bounded


@pytest.mark.parametrize(
    "given",
    [
        {"on_outage": "retry", "retry": {"most_attempts": 3}},
        {"mathis_rtt_ms": 50, "downlink_loss": 0.1},
    ],
)
def test_what_has_an_effect_and_what_is_there_by_default_can_be_written_down(given):
    link = Link.model_validate(LINK | given)
    assert Link.model_validate(link.model_dump()) == link
    assert Link.model_validate(Link.model_validate(LINK).model_dump()) == Link.model_validate(LINK)


def test_the_run_has_an_end(tmp_path):
    text = re.sub("duration_s: .*", "duration_s: 1e300", MINIMAL)
    assert told(tmp_path, text) == [("duration_s: 1e300", f"duration_s: 1.0e+300: {MOST_S}")]


def test_a_link_can_still_be_without_limit():
    link = Link.model_validate({"uplink_mbps": math.inf, "downlink_mbps": 1e9})
    assert (link.uplink_mbps, link.downlink_mbps) == (math.inf, 1e9)


@pytest.mark.parametrize(
    ("way", "other"), [("uplink_mbps", "downlink_mbps"), ("downlink_mbps", "uplink_mbps")]
)
def test_in_a_cell_a_devices_own_limits_are_numbers(way, other):
    varying = {"model": "diurnal", "trough_mbps": 1.0, "peak_mbps": 5.0}
    assert Link.model_validate({way: varying, other: 1.0}).cell is None
    message = f"in a cell a device's {way} is a number: let the cell's vary instead"
    assert errors(Link, {way: varying, other: 1.0, "cell": "town"}) == [(("cell",), message)]
    assert Cell.model_validate({way: varying, other: 1.0}).outages is None


def test_a_profile_can_be_part_of_a_cell():
    link = Link.model_validate({"profile": "lte", "cell": "town", "loss": 0.5})
    plain = Link.model_validate("lte")
    assert (link.cell, link.loss) == ("town", 0.5)
    assert (link.uplink_mbps, link.downlink_mbps) == (plain.uplink_mbps, plain.downlink_mbps)


FILE = """name: bad
duration_s: 100
data: {packaged: fashion-mnist}
models: {edge: {packaged: fashion-mnist-edge}}
strategy: source
cloud: {gflops: 1}
regions:
  north: {outages: {scheduled_s: [[5, 4]]}}
cells:
  town:
    uplink_mbps: fast
    downlink_mbps: {model: csv}
    updates: broadcast
groups:
  a:
    stream: {rate_hz: 1}
    compute: {gflops: 1}
    link:
      uplink_mbps: {model: gaussmarkov, mean_mbps: 5}
      downlink_mbps: "5"
      latency_ms: {distribution: gamma}
      on_outage: explode
      outbox: {overflow: drop_all}
      superseded: forget
  b:
    stream: {rate_hz: 1}
    compute: {gflops: 1}
    link: ltee
"""
MODELS = "csv, diurnal, gauss_markov, mahimahi, markov"
MISTAKES = [
    "8: regions.north.outages.scheduled_s: an outage must end after it begins, unlike [5, 4]",
    f"11: cells.town.uplink_mbps: fast: must be a number, or a mapping whose `model` is one of: {MODELS}",
    "12: cells.town.downlink_mbps.file: missing (The file, relative to the scenario's folder, or a packaged trace "
    "that `cema list` shows)",
    "13: cells.town.updates: broadcast: must be one of: unicast, multicast",
    f"19: groups.a.link.uplink_mbps.model: gaussmarkov: did you mean 'gauss_markov'? must be one of: {MODELS}",
    "20: groups.a.link.downlink_mbps: '5': must be a number; write it without quotes",
    "21: groups.a.link.latency_ms.distribution: gamma: must be one of: empirical, lognormal, normal",
    "22: groups.a.link.on_outage: explode: must be one of: pause, retry",
    "23: groups.a.link.outbox.overflow: drop_all: did you mean 'drop_oldest'? must be one of: drop_oldest, "
    "drop_newest, drop_least_informative",
    "24: groups.a.link.superseded: forget: must be one of: keep, drop, replace",
    "28: groups.b.link: ltee: did you mean 'lte'? must be the path of a .yaml file, or one of: 5g, ethernet, "
    "geo-satellite, leo-satellite, lora, lte, nb-iot, wifi",
]


NO_BANDWIDTH = f"must be a number, or a mapping whose `model` is one of: {MODELS}"
NO_LATENCY = "must be a number, or a mapping whose `distribution` is one of: empirical, lognormal, normal"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "uplink_mbps",
            "5 Mbps",
            "uplink_mbps: 5 Mbps: a plain number is needed; the unit is in the field's name",
        ),
        ("uplink_mbps", "1,5", "uplink_mbps: 1,5: must be a number; write 1.5"),
        ("uplink_mbps", ".nan", "uplink_mbps: .nan: must be a number, and .nan is none"),
        ("uplink_mbps", "0", "uplink_mbps: 0: must be greater than 0"),
        ("latency_ms", ".inf", "latency_ms: .inf: must be a finite number"),
        *(
            ("downlink_mbps", value, f"downlink_mbps: {value}: {NO_BANDWIDTH}")
            for value in ("lte", "true", "[1, 2]")
        ),
        ("downlink_mbps", "", f"downlink_mbps: null (nothing is given): {NO_BANDWIDTH}"),
        (
            "downlink_mbps",
            "diurnal",
            f"downlink_mbps: diurnal: did you mean {{model: diurnal}}? {NO_BANDWIDTH}",
        ),
        (
            "downlink_mbps",
            "Mahi-mahi",
            f"downlink_mbps: Mahi-mahi: did you mean {{model: mahimahi}}? {NO_BANDWIDTH}",
        ),
        ("downlink_mbps", "{trough_mbps: 1}", f"downlink_mbps: {{trough_mbps: 1}}: {NO_BANDWIDTH}"),
        *(
            (field, "normal", f"{field}: normal: did you mean {{distribution: normal}}? {NO_LATENCY}")
            for field in ("latency_ms", "uplink_latency_ms")
        ),
        ("jitter_ms", "normal", "jitter_ms: normal: must be a number"),
        (
            "outages",
            "[[1, 2]]",
            "outages: [[1, 2]]: must be a mapping with the fields: scheduled_s, mean_up_s, mean_down_s",
        ),
        (
            "outages",
            "{scheduled_s: [[1 min, 90]]}",
            "outages.scheduled_s.0.0: 1 min: a plain number is needed; the unit is in the field's name",
        ),
        (
            "cell",
            "{uplink_mbps: 5}",
            "cell: {uplink_mbps: 5}: must be text (The one of `cells` whose capacity the devices share)",
        ),
        ("region", "5", "region: 5: must be text; put it in quotes"),
        ("outbox", "5", "outbox: 5: must be a mapping with the fields: messages, capacity_bytes, overflow"),
        ("retry", "{most_attempts: never}", "retry.most_attempts: never: must be a whole number"),
    ],
)
def test_what_is_told_of_a_value_in_a_file(tmp_path, field, value, message):
    """With the line, the field, the value as it stands there and what is allowed."""
    given = {"uplink_mbps": "10", "downlink_mbps": "40"} | {field: value}
    lines = [f"      {name}: {value}".rstrip() for name, value in given.items()]
    head, link, _ = MINIMAL.partition("    link:\n")
    line = f"{field}: {value}".strip()
    assert told(tmp_path, head + link + "\n".join(lines)) == [(line, f"groups.lte.link.{message}")]


def test_every_mistake_of_a_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(FILE, encoding="utf-8")
    with pytest.raises(loader.ScenarioError) as caught:
        loader.load(path)
    assert str(caught.value).splitlines() == [f"{path}:{mistake}" for mistake in MISTAKES]
