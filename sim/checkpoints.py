"""Checkpoints of the cloud: what it has learnt and remembers, copied, to begin from again after a crash.

A strategy's agent is plain state (networks, optimisers, replay memory, samples that wait for a step, random
generators), so a deep copy of it is a checkpoint, whichever strategy it is. What never changes is shared by all copies:
the laboratory, and of a model all but its normalisation state.

Steps change models when they begin and answer for it when they are done. A copy therefore has the steps that are
running in it, and is complete once they are done: a crash before that goes back to the checkpoint before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.executor import Executor
    from models.strategies._interface import CloudAgent
    from sim.messages import Message


@dataclass(frozen=True)
class Checkpoint:
    """The cloud at one moment.

    Attributes:
        agent: the strategy's, a copy that nobody else works with.
        newest: the newest update of each student.
        awaits: numbers of the steps that were running.

    """

    agent: CloudAgent
    newest: Mapping[str, Message]
    awaits: frozenset[int]


@dataclass
class Checkpoints:
    """The last complete checkpoint and those after it that still await steps.

    Attributes:
        executor: runs the steps.

    """

    executor: Executor
    _kept: list[Checkpoint] = field(default_factory=list)

    def take(self, agent: CloudAgent, newest: Mapping[str, Message], running: Collection[int]) -> None:
        """Add a checkpoint, while these steps are running; their work is done first, whatever their time."""
        self.executor.do_all_steps()
        self._drop_superseded(running)
        self._kept.append(Checkpoint(deepcopy(agent), dict(newest), frozenset(running)))

    def start_over(self, agent: CloudAgent) -> None:
        """Forget all and begin with the state as deployed."""
        self._kept = []
        self.take(agent, {}, ())

    def fall_back(self, running: Collection[int]) -> None:
        """Forget what awaits steps that will never be done, since a crash has met them running."""
        self._drop_superseded(running)
        self._kept = self._kept[:1]

    def restore(self) -> tuple[CloudAgent, dict[str, Message]]:
        """Return the agent and the newest updates of the last complete checkpoint, which stays as it is."""
        last = self._kept[0]
        return deepcopy(last.agent), dict(last.newest)

    def _drop_superseded(self, running: Collection[int]) -> None:
        """Drop all checkpoints before the last complete one."""
        complete = [place for place, each in enumerate(self._kept) if each.awaits.isdisjoint(running)]
        self._kept = self._kept[complete[-1] :] if complete else self._kept
