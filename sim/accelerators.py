"""The cloud's accelerators: how many there are, and how many are free."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sim.clock import Clock, nanoseconds

if TYPE_CHECKING:
    from scenarios.cloud import Autoscaling


class Accelerators:
    """Accelerators of equal speed, perhaps more of them under load.

    Whichever was used last is used next, so that the others can be stopped.

    Attributes:
        free: that could take a step now.
        ready: those and the busy ones.
        starting: on their way to be ready.
        note: called with each change of how many there are: accelerator_starting, accelerator_ready or
            accelerator_stopped.
        use: called when one that was starting is ready.

    """

    def __init__(
        self,
        clock: Clock,
        minimum: int,
        autoscaling: Autoscaling | None,
        note: Callable[[str], None],
        use: Callable[[], None],
    ) -> None:
        self.clock = clock
        self.minimum = minimum
        self.autoscaling = autoscaling
        self.note = note
        self.use = use
        self._restarts = 0
        self._watching = False
        self.starting = 0
        self._idle_since: list[int] = []
        self.begin_anew()

    @property
    def paid(self) -> int:
        """Those that are there or starting."""
        return self.ready + self.starting

    def take(self) -> None:
        """Let one that is free take a step."""
        self.free -= 1
        if self.autoscaling is not None:
            self._idle_since.pop()

    def release(self) -> None:
        """Let one be free again."""
        self.free += 1
        if self.autoscaling is not None:
            self._idle_since.append(self.clock.time)
            self._watch()

    def scale(self, waiting: int) -> None:
        """Start as many more as it takes for what waits."""
        scaling = self.autoscaling
        if scaling is None:
            return
        while self.paid < scaling.most_accelerators and waiting > scaling.waiting_per_accelerator * self.paid:
            self.starting += 1
            self.note("accelerator_starting")
            ready_at = self.clock.time + nanoseconds(scaling.start_up_s)
            self.clock.call_at(ready_at, partial(self._be_ready, self._restarts))

    def stop(self) -> None:
        """Be none, until `begin_anew`; what runs or starts is lost."""
        self._restarts += 1
        self.ready = self.free = self.starting = 0
        self._idle_since = []

    def begin_anew(self) -> None:
        """Be as many as at first, all free."""
        self.ready = self.free = self.minimum
        # When each free one became free, ascending: the first has been idle for longest.
        self._idle_since = [] if self.autoscaling is None else [self.clock.time] * self.minimum

    def _be_ready(self, restarts: int) -> None:
        if restarts != self._restarts:
            return
        self.starting -= 1
        self.ready += 1
        self.free += 1
        self._idle_since.append(self.clock.time)
        self.note("accelerator_ready")
        self.use()
        self._watch()

    def _watch(self) -> None:
        """See to it that one is stopped once it has been idle for long enough; one pending look is enough for all."""
        if not self._watching and self.ready > self.minimum and self._idle_since:
            self._watching = True
            self.clock.call_at(max(self.clock.time, self._idle_since[0] + self._patience), self._stop_idle)

    @property
    def _patience(self) -> int:
        assert self.autoscaling is not None
        return nanoseconds(self.autoscaling.idle_s)

    def _stop_idle(self) -> None:
        self._watching = False
        long_ago = self.clock.time - self._patience
        while self.ready > self.minimum and self._idle_since and self._idle_since[0] <= long_ago:
            self._idle_since.pop(0)
            self.free -= 1
            self.ready -= 1
            self.note("accelerator_stopped")
        self._watch()
