"""The rows of batches.parquet: what became of a device's batches, and what was predicted."""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq
from typing import TYPE_CHECKING, Any

from models.criteria._chain import KEPT
from models.entropy import entropy
from sim.clock import seconds

if TYPE_CHECKING:
    from models.strategies._interface import Decision, DeviceName, EdgeAgent
    from sim.versions import VersionLog
    from sim.world import Batch


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch whose prediction is on its way: when work on it began (nanoseconds), and who does it.

    Attributes:
        damaged: samples of it whose image could not be read.

    """

    batch: Batch
    start: int
    damaged: int
    agent: EdgeAgent
    versions: VersionLog | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Concluded:
    """What came of a batch, and when (nanoseconds); what the device spent on it itself: operations, in which pass."""

    completion: int
    decision: Decision
    flops: int = 0
    forward_pass: int | None = None


def batch_row(
    device: DeviceName,
    batch: Batch,
    status: str,
    asked: Asked | None = None,
    concluded: Concluded | None = None,
) -> dict[str, Any]:
    """Return the row of a batch, by column; what is not known of it is None."""
    prediction = correct = entropies = None
    decision = None if concluded is None else concluded.decision
    if decision is not None:
        # Lists, since arrays among the memory of passes keep it from being used again as long as rows are held.
        prediction = decision.logits.argmax(1).tolist()
        correct = sum(map(eq, prediction, batch.labels.tolist()))
        entropies = entropy(decision.logits).tolist()
    age = behind = None
    if asked is not None and asked.versions is not None and asked.version is not None:
        age = seconds(asked.versions.age(asked.version, asked.start))
        behind = asked.versions.behind(asked.version, asked.start)
    return {
        "device": device.name,
        "group": device.group,
        "batch": batch.number,
        "status": status,
        "arrival_s": seconds(batch.arrival),
        "start_s": None if asked is None else seconds(asked.start),
        "completion_s": None if concluded is None else seconds(concluded.completion),
        "corruption": batch.shift.corruption,
        "severity": batch.shift.severity,
        "version": None if asked is None else asked.version,
        "version_age_s": age,
        "versions_behind": behind,
        "samples": len(batch),
        "damaged": 0 if asked is None else asked.damaged,
        "correct": correct,
        "kept": None if decision is None else decision.verdicts.count(KEPT),
        "flops": 0 if concluded is None else concluded.flops,
        "forward_pass": None if concluded is None else concluded.forward_pass,
        "criteria_state": None if decision is None else list(decision.state.items()),
        "condition": batch.drawn_names,
        "image": batch.indices.tolist(),
        "label": batch.labels.tolist(),
        "prediction": prediction,
        "entropy": entropies,
        "verdict": None if decision is None else decision.verdicts,
    }
