"""CEMA: Cloud-Edge Elastic Model Adaptation (https://arxiv.org/abs/2402.17316, ICLR 2024).

Devices only predict, and exclude samples that are not worth uploading: unreliable ones, by a threshold that follows
the world, and ones that are too certain to teach anything. The cloud adapts a foundation model to what arrives by
weighted entropy, distils it into its copy of the edge model, with replay, and publishes that copy's normalisation
state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from models.strategies._distillation import DistillingSettings, DistillingStrategy
from scenarios import catalogue
from scenarios.settings import Settings

if TYPE_CHECKING:
    from models.criteria._chain import Exclusion
    from models.strategies._interface import DeviceName, Laboratory, Strategy

    Criteria = Any
else:
    Criteria = catalogue.switches(catalogue.CRITERIA, "Criteria")

_REFERENCE: dict[str, Any] = {
    "criteria": {
        "unreliable": {"threshold": "static"},
        "low_informative": None,
        "redundant": {"d_margin": 0.05},
    },
    "statistics": "distributed",
    "replay": {"replay_only_steps": True},
    "distillation": {"entropy_weight": 3.0, "kl_weight": 3.0, "cross_entropy_weight": 1.0},
}

PRESETS: dict[str, dict[str, Any]] = {
    # The text of the paper: two criteria with the recursive threshold, distillation by KL and cross-entropy, affine
    # parameters sent down, no statistics; devices then normalise with the statistics of each batch.
    "paper": {
        "criteria": {"unreliable": {"threshold": "recursive"}, "low_informative": {}, "redundant": None},
        "statistics": "device_batch",
        "replay": {"replay_only_steps": False},
        "distillation": {"entropy_weight": 0.0, "kl_weight": 3.0, "cross_entropy_weight": 1.0},
    },
    # The released code with conf/cema.conf: a static threshold and redundancy, three loss terms, statistics sent
    # down too, and a step on replayed samples alone where an edge batch completes no cloud batch.
    "reference": _REFERENCE,
    # The released code as its ablation runs it: the threshold follows the world in the released form, from the first
    # batch on, and samples that are too certain are excluded too; all else as in `reference`.
    "reference-ablation": _REFERENCE
    | {
        "criteria": {
            "unreliable": {"threshold": "anchored", "warm_up_samples": 1},
            "low_informative": {},
            "redundant": {"d_margin": 0.05},
        }
    },
}


class Cema(DistillingSettings):
    """A preset, and every ingredient of it as a field that replaces the preset's value."""

    name: Literal["cema"] = "cema"
    preset: Literal["paper", "reference", "reference-ablation"] = "paper"
    """`paper` follows the text, `reference` the released code, `reference-ablation` the released code with both of the
    paper's criteria on; fields given beside it win."""
    criteria: Criteria = Field(default_factory=Criteria)
    """The exclusion criteria; null switches one off."""

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        preset = given.get("preset", "paper")
        return _merge(PRESETS.get(preset, {}), given) if isinstance(preset, str) else given

    def build(self, laboratory: Laboratory) -> Strategy:
        """Return the strategy for one run."""
        return CemaStrategy(self, laboratory)


class CemaStrategy(DistillingStrategy[Cema]):
    """The method in one run."""

    def exclusion(self, device: DeviceName) -> Exclusion:
        """Return the criteria of a device, each with a state of its own."""
        from models.criteria._chain import Exclusion  # noqa: PLC0415

        num_classes = self.laboratory.edge_source.num_classes
        return Exclusion({name: c.build(num_classes) for name, c in self.settings.criteria if c is not None})


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    over = {key: _given(value) for key, value in over.items()}
    merged = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _merge(base[key], over[key])
    return merged


def _given(value: Any) -> Any:
    """Return what was given of settings that were built in Python, so that they merge like a file's."""
    return value.model_dump(exclude_unset=True) if isinstance(value, Settings) else value
