from __future__ import annotations

import pytest
import yaml

from scenarios import loader
from scenarios.remarks import remarks
from scenarios.schema import Scenario
from tests.scenarios.mistaken import MINIMAL


def scenario(cloud, *strategies, counts=(2, 1)):
    described = yaml.safe_load(MINIMAL)
    described["models"]["foundation"] = {"packaged": "fashion-mnist-foundation"}
    group = described["groups"]["lte"]
    groups = {f"group-{number}": group | {"count": count} for number, count in enumerate(counts)}
    cloud = {"gflops": 1} | cloud
    return Scenario.model_validate(
        described | {"cloud": cloud, "strategy": list(strategies), "groups": groups}
    )


def told(field, most, label, students, scope, busy):
    return (
        f"cloud.{field}: {most}: strategy {label!r} has {students} (`student_scope: {scope}`), and steps of one "
        f"student never overlap, so that it keeps at most {busy} busy"
    )


SCALING = {"autoscaling": {"most_accelerators": 3}}


@pytest.mark.parametrize(
    ("cloud", "scope", "expected"),
    [
        ({}, "fleet", []),
        ({"accelerators": 2}, "fleet", [told("accelerators", 2, "cema", "one student", "fleet", 1)]),
        ({"accelerators": 2}, "group", []),
        (SCALING, "group", [told("autoscaling.most_accelerators", 3, "cema", "2 students", "group", 2)]),
        (SCALING, "device", []),
    ],
)
def test_accelerators_that_can_never_be_busy_at_a_time(cloud, scope, expected):
    assert remarks(scenario(cloud, {"name": "cema", "student_scope": scope})) == expected


def test_each_strategy_has_a_remark_of_its_own_and_one_without_students_has_none():
    strategies = ("source", "offload", "tent", {"name": "statistics_only", "label": "bare"})
    assert [text.split("'")[1] for text in remarks(scenario(SCALING, *strategies))] == ["tent", "bare"]


def test_moments_after_the_end_have_remarks_too():
    crashes = {"crashes": {"at_s": [99], "restart_s": 1}}
    (text,) = remarks(scenario(crashes, "source"))
    assert text.startswith("cloud.crashes.at_s: 99 ")


@pytest.mark.parametrize("name", loader.names())
def test_there_is_nothing_to_remark_on_packaged_scenarios(name):
    if name != "imagenet-sample":  # wants a folder of images
        assert remarks(loader.load(name)) == []
