from __future__ import annotations

import pytest
import yaml

from scenarios.moments import too_late
from scenarios.schema import Scenario
from tests.scenarios.mistaken import MINIMAL

CRASHES = {"crashes": {"restart_s": 1}}
OUTAGE = {"scheduled_s": [[12.5, 13]]}
CELL = {"uplink_mbps": 1, "downlink_mbps": 1, "outages": OUTAGE}
ALLOWANCE = {"allowance_bytes": 500}


def describe(cloud=None, budget=None, life=None, link=None, **shared):
    """Return a scenario of ten seconds."""
    described = yaml.safe_load(MINIMAL) | shared
    described["cloud"] |= cloud or {}
    group = described["groups"]["lte"]
    group["link"] |= link or {}
    if budget is not None:
        described["budgets"] = {"daily": ALLOWANCE | budget}
        group["budget"] = "daily"
    if life is not None:
        group["life"] = life
    return described


def crashing(*at_s):
    return {"crashes": {"at_s": list(at_s), "restart_s": 1}}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"cloud": crashing(12.5)}, "cloud.crashes.at_s"),
        ({"budget": {"starts_at_s": 12.5}}, "budgets.daily.starts_at_s"),
        ({"life": {"joins_s": 12.5}}, "groups.lte.life.joins_s"),
        ({"life": {"joins_s": {"from_s": 12.5, "to_s": 20}}}, "groups.lte.life.joins_s"),
        ({"life": {"leaves_s": 12.5}}, "groups.lte.life.leaves_s"),
        ({"life": {"crashes_s": [12.5], "restart_s": 1}}, "groups.lte.life.crashes_s"),
        ({"link": {"outages": OUTAGE}}, "groups.lte.link.outages.scheduled_s"),
        ({"link": {"cell": "town"}, "cells": {"town": CELL}}, "cells.town.outages.scheduled_s"),
        (
            {"link": {"region": "north"}, "regions": {"north": {"outages": OUTAGE}}},
            "regions.north.outages.scheduled_s",
        ),
    ],
)
def test_what_never_comes_is_told(changes, path):
    (text,) = too_late(Scenario.model_validate(describe(**changes)))
    assert text == f"{path}: 12.5 is not before the end of the run at 10 s, so that it never comes"


def test_all_of_them_are_told_at_once():
    scenario = Scenario.model_validate(describe(crashing(10), {"starts_at_s": 10}, {"joins_s": 10}))
    found = [text.split(":")[0] for text in too_late(scenario)]
    assert found == ["cloud.crashes.at_s", "budgets.daily.starts_at_s", "groups.lte.life.joins_s"]


@pytest.mark.parametrize(
    "changes",
    [
        {"cloud": crashing(9.5, 12)},  # the first of them comes
        {"budget": {"starts_at_s": 9.5}},
        {"life": {"joins_s": {"from_s": 5, "to_s": 20}}},
        {"life": {"leaves_s": {"from_s": 9.5, "to_s": 20}, "crashes_s": [9, 11], "restart_s": 1}},
        {"life": {}},
    ],
)
def test_of_what_may_come_there_is_nothing_to_tell(changes):
    assert list(too_late(Scenario.model_validate(describe(**changes)))) == []
