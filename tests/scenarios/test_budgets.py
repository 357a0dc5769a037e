from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from models.codecs.jpeg import Jpeg
from models.codecs.png import Png
from models.ranks.arrival import Arrival
from models.ranks.redundancy import Redundancy
from scenarios import loader
from scenarios.budgets import Budget, UploadQuality
from scenarios.fleet import Group
from scenarios.schema import Scenario
from tests.scenarios.mistaken import errors, told_below

MINIMAL = yaml.safe_load((Path(__file__).parent.parent / "data" / "minimal.yaml").read_text(encoding="utf-8"))
GROUP = MINIMAL["groups"]["lte"]

BUCKET = {"rate_kbps": 10, "burst_bytes": 5000}
ALLOWANCE = {"allowance_bytes": 1_000_000}
LOWER = {"lower": [{"codec": "jpeg", "quality": 50}, {"codec": "jpeg", "quality": 20, "scale": 0.5}]}


def test_defaults():
    budget = Budget.model_validate(ALLOWANCE)
    assert (budget.per, budget.period_s, budget.starts_at_s) == ("device", 86_400, 0)
    assert (budget.pacing, budget.excess, budget.rank) == ("none", "drop", Arrival())
    group = Group.model_validate(GROUP)
    assert (group.budget, group.upload_quality, group.upload_codecs) == (None, None, (Png(),))


def test_what_a_budget_can_be():
    without_effect = {"period_s": 86_400, "starts_at_s": 0, "waiting_samples": 64, "overflow": "drop_oldest"}
    paced = BUCKET | ALLOWANCE | {"pacing": "even", "ahead_bytes": 5}
    for data in (BUCKET, ALLOWANCE, paced, BUCKET | without_effect):  # defaults, as in a resolved scenario
        assert Budget.model_validate(data).excess == "drop"
    assert Budget.model_validate(ALLOWANCE | {"rank": {"rank": "redundancy", "momentum": 0.5}}).rank == (
        Redundancy(momentum=0.5)
    )


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        (
            {},
            "allowance_bytes",
            "a budget needs allowance_bytes, or rate_kbps and burst_bytes, or all of them",
        ),
        ({"rate_kbps": 1.0}, "burst_bytes", "a token bucket needs both rate_kbps and burst_bytes"),
        (
            ALLOWANCE | {"burst_bytes": 1},
            "burst_bytes",
            "a token bucket needs both rate_kbps and burst_bytes",
        ),
        (BUCKET | {"pacing": "even"}, "pacing", "must be none without allowance_bytes"),
        (ALLOWANCE | {"ahead_bytes": 1}, "ahead_bytes", "must be 0 without `pacing: even`"),
        (
            BUCKET | {"period_s": 60},
            "period_s",
            "has no effect without allowance_bytes; leave it out, or give 86400",
        ),
        (
            BUCKET | {"starts_at_s": 5},
            "starts_at_s",
            "has no effect without allowance_bytes; leave it out, or give 0",
        ),
        (
            ALLOWANCE | {"waiting_samples": 5},
            "waiting_samples",
            "has no effect with `excess: drop`; needs `excess: wait` or `excess: replace`, or leave it out",
        ),
        (
            ALLOWANCE | {"overflow": "drop_newest"},
            "overflow",
            "has no effect with `excess: drop`; needs `excess: wait`, or leave it out",
        ),
        (
            ALLOWANCE | {"excess": "replace", "overflow": "drop_newest"},
            "overflow",
            "has no effect with `excess: replace`; needs `excess: wait`, or leave it out",
        ),
        (
            ALLOWANCE | {"rank": "size"},
            "rank",
            "`rank` must be one of: age, arrival, entropy, redundancy",
        ),
    ],
)
def test_what_a_budget_cannot_be(data, field, message):
    assert errors(Budget, data) == [((field,), message)]


EXCESS = "must be one of: drop, wait, replace"
NEEDS = "a budget needs allowance_bytes, or rate_kbps and burst_bytes, or all of them"


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("{per: fleet}", f".allowance_bytes: {NEEDS}"),
        ("{rate_kbps: 5}", ".burst_bytes: a token bucket needs both rate_kbps and burst_bytes"),
        ("{rate_kbps: -5, burst_bytes: 1}", ".rate_kbps: -5: must be at least 0.001"),
        ("{rate_kbps: .inf, burst_bytes: 1}", ".rate_kbps: .inf: must be a finite number"),
        ("{allowance_bytes: -5}", ".allowance_bytes: -5: must be at least 1"),
        ("{allowance_bytes: 1e6}", ".allowance_bytes: 1000000.0: must be a whole number; write 1000000"),
        (
            "{allowance_bytes: 5 MB}",
            ".allowance_bytes: 5 MB: a plain number is needed; the unit is in the field's name",
        ),
        ("{allowance_bytes: 5, period_s: 0}", ".period_s: 0: must be at least 1e-06"),
        ("{allowance_bytes: 5, starts_at_s: -1}", ".starts_at_s: -1: must be at least 0"),
        ("{allowance_bytes: 5, per: cell}", ".per: cell: must be one of: device, group, fleet"),
        ("{allowance_bytes: 5, excess: wiat}", f".excess: wiat: did you mean 'wait'? {EXCESS}"),
        ("{allowance_bytes: 5, waiting_samples: 0}", ".waiting_samples: 0: must be at least 1"),
        ("{allowance_bytes: 5, ahead_bytes: 4}", ".ahead_bytes: 4: must be 0 without `pacing: even`"),
        (
            "{allowance_bytes: 5, rank: {rank: redundancy, momentum: 2}}",
            ".rank.momentum: 2: must be at most 1",
        ),
        ("5 MB", f": 5 MB: must be a mapping with the fields: {', '.join(Budget.model_fields)}"),
    ],
)
def test_what_is_told_of_a_budget_in_a_file(tmp_path, budget, message):
    assert told_below(tmp_path, "name: minimal", f"budgets: {{plan: {budget}}}") == [f"budgets.plan{message}"]


def test_levels_of_quality():
    group = Group.model_validate({**GROUP, "upload_quality": LOWER | {"by": "link", "target_s": 2}})
    assert group.upload_codecs == (Png(), Jpeg(quality=50), Jpeg(quality=20, scale=0.5))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"by": "link"}, "needed with `by: link`"),
        ({"by": "budget", "target_s": 2.0}, "must be left out unless `by: link`"),
    ],
)
def test_a_target_goes_with_the_link(data, message):
    assert errors(UploadQuality, LOWER | data) == [(("target_s",), message)]


def test_quality_that_follows_a_budget_needs_one():
    quality = {"upload_quality": LOWER | {"by": "budget"}}
    message = "`by: budget` needs a budget; name one of `budgets` in the group's `budget`"
    assert errors(Group, {**GROUP, **quality}) == [(("upload_quality",), message)]
    assert Group.model_validate({**GROUP, **quality, "budget": "plan"}).upload_quality.by == "budget"


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        ("{by: budget}", "upload_quality.lower: missing (one of: jpeg, png, raw)"),
        ("{lower: [jpeg]}", "upload_quality.by: missing (What makes a level good enough)"),
        ("{lower: [], by: link, target_s: 1}", "upload_quality.lower: must have at least 1 entry"),
        ("{lower: jpeg, by: link, target_s: 1}", "upload_quality.lower: jpeg: must be a list"),
        (
            "{lower: [png, jpg], by: link, target_s: 1}",
            "upload_quality.lower.1: jpg: did you mean 'jpeg'? must be one of: jpeg, png, raw",
        ),
        ("{lower: [jpeg], by: link}", "upload_quality.target_s: needed with `by: link`"),
        ("{lower: [jpeg], by: link, target_s: 0}", "upload_quality.target_s: 0: must be greater than 0"),
        (
            "{lower: [jpeg], by: budget}",
            "upload_quality: `by: budget` needs a budget; name one of `budgets` in the group's `budget`",
        ),
    ],
)
def test_what_is_told_of_quality_in_a_file(tmp_path, quality, message):
    assert told_below(tmp_path, "  lte:", f"upload_quality: {quality}") == [f"groups.lte.{message}"]


def test_a_budget_is_described_elsewhere(tmp_path):
    message = "must be text (The one of `budgets` that limits what its devices upload)"
    found = told_below(tmp_path, "  lte:", "budget: {allowance_bytes: 5}")
    assert found == [f"groups.lte.budget: {{allowance_bytes: 5}}: {message}"]


def scenario(budgets, **named):
    groups = {name: {**GROUP, "budget": budget} for name, budget in named.items()}
    return {**MINIMAL, "groups": groups, "budgets": budgets}


def test_groups_name_the_budgets_of_the_scenario():
    made = Scenario.model_validate(scenario({"plan": ALLOWANCE}, a="plan", b="plan", c=None))
    assert [group.budget for group in made.groups.values()] == ["plan", "plan", None]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            scenario({}, a="plan"),
            "groups.a.budget: no such budget 'plan'; budgets: none; describe it in `budgets`",
        ),
        (
            scenario({"x": ALLOWANCE, "y": BUCKET}, a="x", b="z"),
            "groups.b.budget: no such budget 'z'; budgets: x, y",
        ),
        (
            scenario({"x": ALLOWANCE}, a=None),
            "budgets.x: no group names it; name it in a group's `budget`, or remove it from `budgets`",
        ),
    ],
)
def test_budgets_and_groups_that_do_not_go_together(data, message):
    assert errors(Scenario, data) == [(("groups",), message)]


def test_mistakes_in_a_file_are_told_in_its_own_words(tmp_path):
    path = tmp_path / "budget.yaml"
    data = scenario({"plan": BUCKET | {"rank": "entropi"}}, a="plan")
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(loader.ScenarioError, match=r"budgets\.plan\.rank.*did you mean 'entropy'\?"):
        loader.load(path)


def test_a_resolved_scenario_can_be_read_again(tmp_path):
    data = scenario({"plan": BUCKET | {"rank": "entropy", "excess": "replace"}}, a="plan")
    data["groups"]["a"]["upload_quality"] = LOWER | {"by": "link", "target_s": 2.0}
    made = Scenario.model_validate(data)
    path = tmp_path / "resolved.yaml"
    path.write_text(loader.dump(made), encoding="utf-8")
    assert loader.load(path) == made


def test_an_unknown_field_of_a_budget():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Budget.model_validate(ALLOWANCE | {"period": 5})
