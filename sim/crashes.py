"""When the cloud crashes, comes back, and takes checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sim.clock import Clock, nanoseconds

if TYPE_CHECKING:
    import numpy as np

    from scenarios.cloud import Crashes as CrashSettings


class Failing(Protocol):
    """What crashes."""

    def crash(self) -> None:
        """Stop, and lose what is under way."""

    def restart(self) -> None:
        """Go on from the last checkpoint."""

    def checkpoint(self) -> None:
        """Take a checkpoint."""


class Crashes:
    """The crashes of one thing that can fail; its checkpoints are due only while it is up.

    Attributes:
        uptimes: where times up to a crash are drawn, one after another.
        down: whether it has crashed and is not yet back.
        restarts: how often it has come back.

    """

    def __init__(
        self, clock: Clock, settings: CrashSettings, uptimes: np.random.Generator, failing: Failing
    ) -> None:
        self.clock = clock
        self.settings = settings
        self.uptimes = uptimes
        self.failing = failing
        self.down = False
        self.restarts = 0

    def start(self) -> None:
        """Schedule what is known beforehand; where moments coincide crashes come first."""
        for time in self.settings.at_s:
            self.clock.call_at(nanoseconds(time), self._crash)
        self._crash_by_chance()
        if self.settings.checkpoint_every_s is not None:
            self._checkpoint_every(nanoseconds(self.settings.checkpoint_every_s))

    def _crash_by_chance(self) -> None:
        if self.settings.mean_up_s is None:
            return
        up = nanoseconds(self.uptimes.exponential(self.settings.mean_up_s))
        drawn_after = self.restarts

        def crash() -> None:
            if (
                self.restarts == drawn_after
            ):  # otherwise a scheduled crash came first, and another time was drawn
                self._crash()

        self.clock.call_at(self.clock.time + up, crash)

    def _crash(self) -> None:
        if self.down:
            return
        self.down = True
        self.failing.crash()
        self.clock.call_at(self.clock.time + nanoseconds(self.settings.restart_s), self._restart)

    def _restart(self) -> None:
        self.down = False
        self.restarts += 1
        self.failing.restart()
        self._crash_by_chance()

    def _checkpoint_every(self, interval: int) -> None:
        def checkpoint() -> None:
            if not self.down:
                self.failing.checkpoint()
            self._checkpoint_every(interval)

        self.clock.call_at(self.clock.time + interval, checkpoint)
