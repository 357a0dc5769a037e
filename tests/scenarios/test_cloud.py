from __future__ import annotations

import pytest

from scenarios.cloud import Cloud
from tests.scenarios.mistaken import errors, told_below


def test_by_default_there_is_nothing_but_accelerators():
    cloud = Cloud.model_validate({"gflops": 1.0})
    assert (cloud.inbox, cloud.autoscaling, cloud.crashes, cloud.catches_up) == (None, None, None, True)


def test_a_disciplines_bare_name_is_enough():
    cloud = Cloud.model_validate({"gflops": 1.0, "inbox": {"discipline": "fair_per_device", "capacity": 3}})
    assert cloud.model_dump()["inbox"] == {
        "discipline": {"discipline": "fair_per_device"},
        "capacity": 3,
        "overflow": "reject_newest",
    }


def test_what_was_dumped_reads_the_same():
    described = {
        "gflops": 1.0,
        "inbox": {"discipline": "most_informative_first", "overflow": "drop_oldest"},
        "autoscaling": {"most_accelerators": 3},
        "crashes": {"at_s": [1.0, 2.5], "restart_s": 3.0},
        "catches_up": False,
    }
    cloud = Cloud.model_validate(described)
    assert Cloud.model_validate(cloud.model_dump(mode="json")) == cloud


DISCIPLINES = "must be one of: fair_per_device, first_in_first_out, most_informative_first"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inbox: 5", "inbox: 5: must be a mapping with the fields: discipline, capacity, overflow"),
        ("inbox: {discipline: lifo}", f"inbox.discipline: lifo: {DISCIPLINES}"),
        ("inbox: {discipline: {discipline: lifo}}", f"inbox.discipline.discipline: lifo: {DISCIPLINES}"),
        ("inbox: {capacity: -1}", "inbox.capacity: -1: must be at least 0"),
        ("inbox: {capacity: many}", "inbox.capacity: many: must be a whole number"),
        (
            "inbox: {overflow: drop}",
            "inbox.overflow: drop: must be one of: reject_newest, drop_oldest, drop_least_informative",
        ),
        (
            "autoscaling: {}",
            "autoscaling.most_accelerators: missing (Never more than these, counting those that are starting)",
        ),
        ("autoscaling: {most_accelerators: 1}", "autoscaling.most_accelerators: 1: must be at least 2"),
        (
            "autoscaling: {most_accelerators: 3, start_up_s: 1 min}",
            "autoscaling.start_up_s: 1 min: a plain number is needed; the unit is in the field's name",
        ),
        (
            "crashes: {at_s: [1]}",
            "crashes.restart_s: missing (From a crash to the moment at which the cloud is back)",
        ),
        ("crashes: {restart_s: 1}", "crashes: say when: at_s, mean_up_s or both"),
        ("crashes: {at_s: 5, restart_s: 1}", "crashes.at_s: 5: must be a list"),
        ("crashes: {at_s: [0], restart_s: 1}", "crashes.at_s.0: 0: must be greater than 0"),
        (
            "crashes: {at_s: [86400.25, 86400.125], restart_s: 1}",
            "crashes.at_s: must increase, but 86400.25 is followed by 86400.125",
        ),
        ("crashes: {mean_up_s: .inf, restart_s: 1}", "crashes.mean_up_s: .inf: must be a finite number"),
        (
            "crashes: {mean_up_s: 5, restart_s: 1, checkpoint_every_s: 0}",
            "crashes.checkpoint_every_s: 0: must be at least 0.001",
        ),
        ("catches_up: maybe", "catches_up: maybe: must be true or false"),
    ],
)
def test_what_is_told_of_a_cloud_in_a_file(tmp_path, line, message):
    assert told_below(tmp_path, "cloud:", line) == [f"cloud.{message}"]


def test_autoscaling_needs_room_above_the_accelerators_that_are_always_there():
    assert Cloud.model_validate({"gflops": 1.0, "accelerators": 2, "autoscaling": {"most_accelerators": 3}})
    message = "most_accelerators must be more than the 3 of `accelerators`, unlike 3"
    data = {"gflops": 1.0, "accelerators": 3, "autoscaling": {"most_accelerators": 3}}
    assert errors(Cloud, data) == [(("autoscaling",), message)]


def test_every_field_is_described():
    schema = Cloud.model_json_schema()
    for name in ("Inbox", "Autoscaling", "Crashes", "Cloud"):
        fields = (schema["$defs"] | {"Cloud": schema})[name]["properties"]
        assert all("description" in field for field in fields.values()), name
