from __future__ import annotations

import pytest
from pydantic import ValidationError

from scenarios.cloud import Cloud


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


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("inbox", {"capacity": -1}, "greater than or equal to 0"),
        ("inbox", {"overflow": "drop"}, "'reject_newest', 'drop_oldest' or 'drop_least_informative'"),
        ("autoscaling", {"most_accelerators": 2, "idle_s": -1.0}, "greater than or equal to 0"),
        ("crashes", {"at_s": [1.0], "restart_s": 1.0, "checkpoint_every_s": 0.0}, "0.001"),
    ],
)
def test_mistakes(field, value, message):
    with pytest.raises(ValidationError, match=message):
        Cloud.model_validate({"gflops": 1.0, field: value})


def test_every_field_is_described():
    schema = Cloud.model_json_schema()
    for name in ("Inbox", "Autoscaling", "Crashes", "Cloud"):
        fields = (schema["$defs"] | {"Cloud": schema})[name]["properties"]
        assert all("description" in field for field in fields.values()), name
