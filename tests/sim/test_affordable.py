from __future__ import annotations

import json

import pytest

from models.errors import InputError
from sim.affordable import unaffordable
from sim.run import Options, run_scenario

BUDGETS = {"small": {"rate_kbps": 1.0, "burst_bytes": 300}, "large": {"allowance_bytes": 10_000}}


def scenario(tiny, *strategies, **budgets):
    """Two groups, `a` with the first budget that is given, and `b` with the second."""
    groups = {name: tiny.group(budget=budget) for name, budget in budgets.items()}
    described = {name: BUDGETS[name] for name in budgets.values() if name is not None}
    return tiny.scenario(strategy=list(strategies), groups=groups, budgets=described)


DISTRIBUTED = {"name": "cema", "statistics": "distributed"}
PROBLEM = (
    "budgets.small.burst_bytes: 300: must be at least 440, since a message of statistics takes 440 bytes with its "
    "headers and is never given up"
)


@pytest.mark.parametrize(
    ("strategy", "budgets", "told"),
    [
        (
            "statistics_only",
            {"a": "small", "b": "large"},
            [f"{PROBLEM} (strategy 'statistics_only', group 'a')"],
        ),
        (
            "statistics_only",
            {"a": "large", "b": "small"},
            [f"{PROBLEM} (strategy 'statistics_only', group 'b')"],
        ),
        ("statistics_only", {"a": "large", "b": None}, []),
        (DISTRIBUTED, {"a": "small", "b": "small"}, [f"{PROBLEM} (strategy 'cema', group 'a')"]),
        (DISTRIBUTED, {"a": "large", "b": "small"}, []),  # the fleet's first device alone sends them
        (
            DISTRIBUTED | {"student_scope": "group"},
            {"a": "large", "b": "small"},
            [f"{PROBLEM} (strategy 'cema', group 'b')"],
        ),
        ("cema", {"a": "small", "b": "small"}, []),
        ("source", {"a": "small", "b": "small"}, []),
    ],
)
def test_statistics_that_no_budget_of_their_senders_ever_has_room_for(tiny, strategy, budgets, told):
    assert unaffordable(scenario(tiny, strategy, **budgets), lambda: 400) == told


def test_a_model_without_statistics_sends_none(tiny):
    assert unaffordable(scenario(tiny, DISTRIBUTED, a="small"), lambda: 0) == []


def test_nothing_is_computed_where_nobody_sends_statistics_within_a_budget(tiny):
    def never():
        pytest.fail("asked for")

    assert unaffordable(scenario(tiny, "source", "cema", "offload", a="small"), never) == []


def test_it_is_told_before_anything_is_simulated_or_written(tiny, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(InputError, match=r"^budgets\.small\.burst_bytes: 300: must be at least \d+, since"):
        run_scenario(
            scenario(tiny, "source", "statistics_only", a="small"),
            folder,
            Options("cpu", allow_code=True, figures=False),
        )
    assert not folder.exists()


def test_a_run_whose_budget_never_carries_a_sample_says_so(tiny, tmp_path):
    group = tiny.group(budget="tight", upload_codec="raw", stream={"rate_hz": 1.0, "batch_size": 2})
    described = tiny.scenario(
        strategy=tiny.cema(),
        groups={"a": group},
        budgets={"tight": {"rate_kbps": 1.0, "burst_bytes": 1}},
        duration_s=3.0,
    )
    run_scenario(described, tmp_path / "out", Options("cpu", allow_code=True, figures=False))
    hopeless = json.loads((tmp_path / "out" / "manifest.json").read_text())["hopeless"]
    assert hopeless == {"tight": {"samples": 6, "least_bytes": 40 + 4 + 64}}
