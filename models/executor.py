"""The executor: everything that calls a model during a run goes through it.

Work is submitted when its simulated time begins and its result is asked for when that time ends. In between the
executor is free to put it off and to run it together with other work. Everything runs in the order of submission.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.sources import LoadedModel

T = TypeVar("T")


class Pending(Generic[T]):
    """Work that was submitted; `result` executes it, and all work submitted before it, if that is still to be done."""

    def __init__(self, executor: Executor, work: Callable[[], T]) -> None:
        self._executor = executor
        self._work: Callable[[], T] | None = work
        self._value: T

    def execute(self) -> None:
        """Do the work; the executor calls this once."""
        assert self._work is not None
        self._value, self._work = self._work(), None

    def result(self) -> T:
        """Return the result."""
        if self._work is not None:
            self._executor.run_until(self)
        return self._value


@dataclass(frozen=True)
class Forward:
    """The result of a forward pass.

    Attributes:
        logits: float32 (N, num_classes), on the CPU.
        state: the normalisation state after the pass, float32 (D,), where statistics of the batch were kept;
            otherwise None.
        features: the classifier's input, float32 (N, F), on the CPU, where it was asked for; otherwise None.

    """

    logits: Tensor
    state: NDArray[np.float32] | None = None
    features: Tensor | None = None


@dataclass
class Executor:
    """Runs forward passes of the edge model and training steps, in order of submission.

    Attributes:
        device: where models and images are placed.
        forward_passes, steps: how many have been executed.

    """

    device: torch.device
    forward_passes: int = 0
    steps: int = 0
    _queue: deque[Pending[object]] = field(default_factory=deque)

    def forward(
        self,
        model: AdaptableModel,
        source: LoadedModel,
        images: NDArray[np.uint8],
        state: NDArray[np.float32],
        statistics: Statistics,
        features: bool = False,
    ) -> Pending[Forward]:
        """Submit a forward pass in evaluation mode.

        Args:
            model: the network to run; its state is overwritten.
            source: how its input is normalised.
            images: uint8 (N, H, W, C).
            state: the version to run, float32 (D,).
            statistics: which statistics batch normalisation uses.
            features: whether to return the features too.

        """

        def work() -> Forward:
            self.forward_passes += 1
            model.load(state)
            model.use(statistics)
            collecting: AbstractContextManager[list[Tensor]] = (
                model.features() if features else nullcontext([])
            )
            with torch.inference_mode(), collecting as collected:
                logits = model.network(prepare(images, source.preparation, self.device)).cpu()
            after = model.read() if statistics.kept else None
            return Forward(logits, after, collected[-1].cpu() if features else None)

        return self._submit(work)

    def step(self, work: Callable[[], T]) -> Pending[T]:
        """Submit a training step."""

        def counted() -> T:
            self.steps += 1
            return work()

        return self._submit(counted)

    def then(self, work: Callable[[], None]) -> None:
        """Submit a change of state that must neither overtake earlier work nor come after later work."""
        self._submit(work)

    def run_until(self, pending: Pending[T]) -> None:
        """Execute submitted work in order, up to and including `pending`."""
        while self._queue:
            work = self._queue.popleft()
            work.execute()
            if work is pending:
                return
        raise LookupError("this work was not submitted to this executor, or has failed before")

    def _submit(self, work: Callable[[], T]) -> Pending[T]:
        pending = Pending(self, work)
        self._queue.append(pending)  # type: ignore[arg-type]
        return pending


def choose_device(wish: str) -> torch.device:
    """Turn `auto`, `cpu` or `cuda` into a device; raises InputError where CUDA is asked for and absent."""
    from models.errors import InputError  # noqa: PLC0415

    if wish == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is available here; allowed: auto, cpu")
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wish)
