import pytest

from models.strategies.cema import Cema
from scenarios.schema import Scenario
from sim.ablation import variants

OFF = {"unreliable": None, "low_informative": None, "redundant": None}
RULES = ["unreliable-static", "unreliable-dynamic", "low-informative", "both", "redundancy", "all"]


def by_label(method):
    return {each["label"]: each for each in variants(method)}


def test_the_variants():
    assert list(by_label(Cema())) == [
        "no-exclusion",
        *RULES,
        *(f"random-{label}" for label in RULES),
        "no-replay",
        "no-foundation-update",
    ]


def test_what_each_rule_switches_on():
    found = by_label(Cema(criteria={"unreliable": {"share": 0.3}, "redundant": {"d_margin": 0.4}}))
    on = {
        label: {name: settings for name, settings in found[label]["criteria"].items() if settings is not None}
        for label in ("no-exclusion", *RULES)
    }
    unreliable = {"share": 0.3, "coefficient": 1.0, "warm_up_samples": 1}
    static, dynamic = unreliable | {"threshold": "static"}, unreliable | {"threshold": "recursive"}
    low, redundant = {"share": 0.02}, {"d_margin": 0.4}
    assert on == {
        "no-exclusion": {},
        "unreliable-static": {"unreliable": static},
        "unreliable-dynamic": {"unreliable": dynamic},
        "low-informative": {"low_informative": low},
        "both": {"unreliable": dynamic, "low_informative": low},
        "redundancy": {"redundant": redundant},
        "all": {"unreliable": dynamic, "low_informative": low, "redundant": redundant},
    }


@pytest.mark.parametrize(
    ("own", "dynamic"), [("static", "recursive"), ("recursive", "recursive"), ("anchored", "anchored")]
)
def test_the_dynamic_threshold_is_the_methods_own(own, dynamic):
    found = by_label(Cema(criteria={"unreliable": {"threshold": own}}))
    assert found["unreliable-dynamic"]["criteria"]["unreliable"]["threshold"] == dynamic
    assert found["unreliable-static"]["criteria"]["unreliable"]["threshold"] == "static"


@pytest.mark.parametrize("preset", ["paper", "reference", "reference-ablation"])
def test_a_variant_differs_from_the_method_in_its_criteria_alone(preset):
    method = Cema(preset=preset, momentum=0.5, criteria=OFF)
    for label in ("no-exclusion", *RULES):
        settings = Cema.model_validate(by_label(method)[label])
        same = {"label": None, "criteria": method.criteria}
        assert settings.model_copy(update=same) == method
        assert (
            settings.criteria.model_dump(exclude_none=True).keys()
            == {
                "no-exclusion": set(),
                "unreliable-static": {"unreliable"},
                "unreliable-dynamic": {"unreliable"},
                "low-informative": {"low_informative"},
                "both": {"unreliable", "low_informative"},
                "redundancy": {"redundant"},
                "all": {"unreliable", "low_informative", "redundant"},
            }[label]
        )


def test_a_control_differs_from_its_rule_in_the_selection_alone():
    found = by_label(Cema(preset="reference", momentum=0.5))
    for label in RULES:
        control, rule = found[f"random-{label}"], found[label]
        assert (control["name"], control["match"]) == ("random_selection", label)
        told = {"name", "label", "match"}
        assert {key: value for key, value in control.items() if key not in told} == {
            key: value for key, value in rule.items() if key not in {*told, "preset", "criteria"}
        }


def test_the_switches_are_relative_to_the_method():
    method = Cema(preset="reference", criteria={"redundant": {"d_margin": 0.4}})
    found = by_label(method)
    no_replay = Cema.model_validate(found["no-replay"])
    assert (no_replay.replay.capacity, no_replay.replay.replay_only_steps) == (0, False)
    assert no_replay.model_copy(update={"label": None, "replay": method.replay}) == method
    fixed = Cema.model_validate(found["no-foundation-update"])
    assert not fixed.foundation.update
    assert fixed.model_copy(update={"label": None, "foundation": method.foundation}) == method


def test_a_scenario_takes_them_all(tiny):
    data = tiny.describe(strategy=variants(Cema(momentum=0.5)))
    scenario = Scenario.model_validate(data, context={"folder": tiny.folder})
    assert [each.momentum for each in scenario.strategy] == [0.5] * 15
