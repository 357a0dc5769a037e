"""The standard ablation: what each exclusion criterion, replay and the foundation model's update are worth.

It takes apart what the paper does (CEMA, https://arxiv.org/abs/2402.17316): the criteria alone and together, with
redundancy beside them. Each selection rule has a control that uploads as large a share of the samples, chosen at
random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.strategies import Base as StrategySettings

CRITERIA = ("unreliable", "low_informative", "redundant")


def variants(method: StrategySettings) -> list[dict[str, Any]]:
    """Return the settings of every variant of the method, which itself is not among them.

    Whatever a variant does not change is as in `method`; a criterion that is off there has its defaults.
    """
    own = method.model_dump(mode="json")
    selections = {
        label: own | {"label": label, "criteria": criteria}
        for label, criteria in _selections(own["criteria"]).items()
    }
    controls = [
        {key: value for key, value in own.items() if key not in ("preset", "criteria")}
        | {"name": "random_selection", "label": f"random-{label}", "match": label}
        for label in selections
        if label != "no-exclusion"
    ]
    replay = own["replay"] | {"capacity": 0, "replay_only_steps": False}
    foundation = own["foundation"] | {"update": False}
    switches = [
        own | {"label": "no-replay", "replay": replay},
        own | {"label": "no-foundation-update", "foundation": foundation},
    ]
    return [*selections.values(), *controls, *switches]


def _selections(criteria: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the criteria of each selection rule."""
    own = {name: criteria[name] or {} for name in CRITERIA}
    threshold = own["unreliable"].get("threshold", "recursive")
    static = {"unreliable": own["unreliable"] | {"threshold": "static"}}
    dynamic = {
        "unreliable": own["unreliable"] | {"threshold": "recursive" if threshold == "static" else threshold}
    }
    low_informative = {"low_informative": own["low_informative"]}
    redundant = {"redundant": own["redundant"]}
    chosen = {
        "no-exclusion": {},
        "unreliable-static": static,
        "unreliable-dynamic": dynamic,
        "low-informative": low_informative,
        "both": dynamic | low_informative,
        "redundancy": redundant,
        "all": dynamic | low_informative | redundant,
    }
    return {label: dict.fromkeys(criteria) | on for label, on in chosen.items()}
