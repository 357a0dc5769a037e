from __future__ import annotations

import yaml

from scenarios.schema import Scenario
from tests.scenarios.mistaken import told

OUTAGES = {"outages": {"scheduled_s": [[3, 4]]}}
CELL = {"uplink_mbps": 5, "downlink_mbps": 5}
BUCKET = {"rate_kbps": 5, "burst_bytes": 100}


def describe(described, **named):
    """Return a scenario that describes these, with groups that name what is given of them."""
    group = {
        "stream": {"rate_hz": 1},
        "compute": {"gflops": 1},
        "link": {"uplink_mbps": 1, "downlink_mbps": 1},
    }
    groups = {
        name: group | {"budget": one.get("budget"), "link": group["link"] | one.get("link", {})}
        for name, one in named.items()
    }
    return {
        "name": "named",
        "duration_s": 10,
        "data": {"packaged": "fashion-mnist"},
        "models": {"edge": {"packaged": "fashion-mnist-edge"}},
        "strategy": {"name": "source"},
        "cloud": {"gflops": 1},
        **described,
        "groups": groups,
    }


def mistakes(tmp_path, described, **named):
    """Return for each mistake the line that is told to have it, and the message."""
    return told(tmp_path, yaml.safe_dump(describe(described, **named), sort_keys=False))


def test_every_name_that_nothing_has_is_told_on_its_own_line(tmp_path):
    described = {"cells": {"town": CELL}, "regions": {"north": OUTAGES}, "budgets": {"daily": BUCKET}}
    a = {"link": {"cell": "town", "region": "nroth"}, "budget": "weekly"}
    assert mistakes(tmp_path, described, a=a, b={"link": {"cell": "sea"}}) == [
        (
            "region: nroth",
            "groups.a.link.region: no such region 'nroth'; did you mean 'north'? regions: north",
        ),
        ("budget: weekly", "groups.a.budget: no such budget 'weekly'; budgets: daily"),
        ("cell: sea", "groups.b.link.cell: no such cell 'sea'; cells: town"),
    ]


def test_where_nothing_is_described_the_field_is_named(tmp_path):
    assert mistakes(tmp_path, {}, a={"link": {"region": "north"}}) == [
        (
            "region: north",
            "groups.a.link.region: no such region 'north'; regions: none; describe it in `regions`",
        )
    ]


def test_what_nobody_names_is_told_where_it_is_described(tmp_path):
    described = {"cells": {"town": CELL, "sea": dict(CELL)}}
    assert mistakes(tmp_path, described, a={"link": {"cell": "town"}}) == [
        ("sea:", "cells.sea: no group names it; name it in a group's `link.cell`, or remove it from `cells`")
    ]


def test_names_are_not_looked_up_among_descriptions_that_are_wrong(tmp_path):
    described = {"cells": {"town": CELL | {"updates": "broadcast"}}}
    assert [text for _, text in mistakes(tmp_path, described, a={"link": {"cell": "town"}})] == [
        "cells.town.updates: broadcast: must be one of: unicast, multicast"
    ]


def test_groups_that_get_versions_together_agree_on_what_becomes_of_them(tmp_path):
    described = {"cells": {"town": CELL | {"updates": "multicast"}, "sea": dict(CELL)}}
    a = {"link": {"cell": "town", "on_outage": "retry"}}
    b = {"link": {"cell": "town", "on_outage": "retry", "retry": {"most_attempts": 3}}}
    c = {"link": {"cell": "town", "superseded": "drop", "on_outage": "pause"}}
    d = {"link": {"cell": "sea", "superseded": "drop"}}
    why = "must be that of 'a', since the devices of cell 'town' get versions together (multicast)"
    assert mistakes(tmp_path, described, a=a, b=b, c=c, d=d) == [
        ("retry:", f"groups.b.link.retry: {why}"),
        ("superseded: drop", f"groups.c.link.superseded: {why}"),
        ("on_outage: pause", f"groups.c.link.on_outage: {why}"),
    ]


def test_groups_that_get_versions_one_by_one_need_not_agree(tmp_path):
    named = {"a": {"link": {"cell": "sea", "superseded": "drop"}}, "b": {"link": {"cell": "sea"}}}
    Scenario.model_validate(describe({"cells": {"sea": CELL}}, **named))
