"""The executor: everything that calls a model during a run goes through it.

Work is submitted when its simulated time begins and its result is asked for when that time ends. In between the
executor is free to put it off and to run it together with other work. Passes of the edge model wait until the
first result is asked for; then the oldest run together, as many as a pass may hold, until that result is there. Which
passes run together thus follows from the order of submissions and questions alone, never from the wall clock.
Training steps run one after another, in order of submission: each when its result is asked for or, where cores are
free, at once beside the passes. Passes and steps share no model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Generic, NamedTuple, Self, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.allocator import freed_memory_kept
from models.background import Background
from models.images import prepare
from models.mixture import Mixture, can_mix
from models.normalisation import AdaptableModel, Statistics
from models.placement import Placement
from models.sources import LoadedModel

T = TypeVar("T")


class LostError(LookupError):
    """A result that there will never be, since a step has failed that it builds on."""


class Pending(Generic[T]):
    """Work that was submitted; `result` has it executed, and all that must come before it, if that is to be done."""

    def __init__(self, demand: Callable[[Pending[T]], None]) -> None:
        self._demand = demand
        self._done = False
        self._value: T

    @property
    def done(self) -> bool:
        """Whether the work has been executed."""
        return self._done

    def resolve(self, value: T) -> None:
        """Set the result; the executor calls this once."""
        self._value, self._done = value, True

    def result(self) -> T:
        """Return the result; raises what the work raises, and LostError where a step has failed before."""
        if not self._done:
            self._demand(self)
        return self._value


@dataclass(frozen=True)
class Forward:
    """The result of a forward pass.

    Attributes:
        logits: float32 (N, num_classes), on the CPU.
        state: the normalisation state after the pass, float32 (D,), where statistics of the batch were kept;
            otherwise None.
        features: the classifier's input, float32 (N, F), on the CPU, where it was asked for; otherwise None.
        forward_pass: the number of the pass in which it was computed, with others or alone; None where it was none
            of the shared edge model.

    """

    logits: Tensor
    state: NDArray[np.float32] | None = None
    features: Tensor | None = None
    forward_pass: int | None = None


class _Kind(NamedTuple):
    """What requests must have in common to share a pass."""

    model: AdaptableModel
    statistics: Statistics
    features: bool


class _Request(NamedTuple):
    source: LoadedModel
    images: NDArray[np.uint8]
    state: NDArray[np.float32]
    pending: Pending[Forward]


class Executor:
    """Runs forward passes of the edge model, fused, and training steps, in order.

    As a context manager it sets the number of threads, keeps freed memory, and leaves no step running.

    Attributes:
        placement: where models and images are, how many images share a pass at most, and on what threads.
        forward_passes, steps: how many have been executed.

    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.forward_passes = 0
        self.steps = 0
        self._waiting: dict[_Kind, deque[_Request]] = {}
        self._shares: WeakKeyDictionary[AdaptableModel, bool] = WeakKeyDictionary()
        self._mixes: WeakKeyDictionary[AdaptableModel, bool] = WeakKeyDictionary()
        self._steps: deque[tuple[Pending[object], Callable[[], object]]] = deque()
        self._failure: BaseException | None = None
        self._background = Background(placement.step_threads) if placement.overlaps else None

    @property
    def device(self) -> torch.device:
        """Where models and images are."""
        return self.placement.device

    def __enter__(self) -> Self:
        self._undo = ExitStack()
        self._undo.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(self.placement.pass_threads)
        self._undo.enter_context(freed_memory_kept())
        if self.device.type == "cuda":  # as exact as on a CPU, and the same each time
            cudnn = torch.backends.cudnn
            self._undo.enter_context(
                cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)
            )
        if self._background is not None:
            self._undo.callback(self._background.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

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
            state: the version to run, float32 (D,); not to be changed. Requests that bring the same array share it.
            statistics: which statistics batch normalisation uses.
            features: whether to return the features too.

        """
        kind = _Kind(model, statistics, features)
        pending = Pending[Forward](lambda asked: self._pass_until(kind, asked))
        self._waiting.setdefault(kind, deque()).append(_Request(source, images, state, pending))
        return pending

    def step(self, work: Callable[[], T]) -> Pending[T]:
        """Submit a training step."""

        def counted() -> T:
            self.steps += 1
            return work()

        return self._submit(counted)

    def then(self, work: Callable[[], None]) -> None:
        """Submit a change of what steps work on, which must neither overtake nor come after its turn among them."""
        self._submit(work)

    def finish_steps(self) -> None:
        """Wait for steps that are being done beside the passes; failures are for whoever asks for results."""
        if self._background is not None:
            self._background.finish()

    def do_all_steps(self) -> None:
        """Have everything done that was submitted by `step` and `then`; raises what one of them raises."""
        self._submit(lambda: None).result()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return the executor itself: whoever is copied goes on working with it."""
        return self

    def _submit(self, work: Callable[[], T]) -> Pending[T]:
        if self._background is not None:
            result = self._background.submit(work)
            return Pending[T](lambda asked: asked.resolve(result()))
        pending = Pending[T](self._step_until)
        self._steps.append((pending, work))  # type: ignore[arg-type]
        return pending

    def _step_until(self, asked: Pending[T]) -> None:
        while not asked.done:
            if self._failure is not None:
                raise LostError("this step, or one before it, has failed") from self._failure
            pending, work = self._steps.popleft()
            try:
                pending.resolve(work())
            except BaseException as error:  # an interrupt too: the steps that follow build on this one
                self._failure = error
                raise

    def _pass_until(self, kind: _Kind, asked: Pending[Forward]) -> None:
        waiting = self._waiting[kind]
        while not asked.done:
            requests = self._next(waiting)
            try:
                self._pass(kind, requests)
            except BaseException:  # an interrupt too: whoever asks again has it tried again
                waiting.extendleft(request for request in reversed(requests) if not request.pending.done)
                raise
        if not waiting:
            del self._waiting[kind]  # it holds the model

    def _next(self, waiting: deque[_Request]) -> list[_Request]:
        """Take the oldest requests, as many as a pass may hold, but at least one."""
        requests = [waiting.popleft()]
        images = len(requests[0].images)
        while waiting and images + len(waiting[0].images) <= self.placement.images_per_pass:
            images += len(waiting[0].images)
            requests.append(waiting.popleft())
        return requests

    def _pass(self, kind: _Kind, requests: list[_Request]) -> None:
        for group in self._together(kind, requests):
            forwards = self._compute(kind, group, self.forward_passes)
            self.forward_passes += 1
            for request, forward in zip(group, forwards, strict=True):
                request.pending.resolve(forward)

    def _together(self, kind: _Kind, requests: list[_Request]) -> list[list[_Request]]:
        """Split requests where a pass cannot hold them all: into those of one version, or one by one."""
        if len(requests) == 1:
            return [requests]
        alone = [[request] for request in requests]
        if kind.statistics != Statistics.RUNNING:
            return [requests] if self._may_mix(kind, requests) else alone
        if not self._may_share(kind, requests):
            return alone
        if _are_one_version(requests) or self._may_mix(kind, requests):
            return [requests]
        groups: dict[int, list[_Request]] = {}
        for request in requests:
            groups.setdefault(id(request.state), []).append(request)
        return list(groups.values())

    def _may_share(self, kind: _Kind, requests: list[_Request]) -> bool:
        """Tell whether the model computes of several requests of one version what it computes of each; tried once."""
        if kind.model not in self._shares:
            state = requests[0].state
            alike = [request._replace(state=state) for request in requests[:2]]
            self._shares[kind.model] = self._agrees(kind, alike)
        return self._shares[kind.model]

    def _may_mix(self, kind: _Kind, requests: list[_Request]) -> bool:
        """Tell whether the model computes in a mixture what it computes alone; tried once, on other versions."""
        if kind.model not in self._mixes:
            altered = [
                request._replace(state=request.state * np.float32(1 + 0.1 * number))
                for number, request in enumerate(requests[:2], 1)
            ]
            self._mixes[kind.model] = can_mix(kind.model) and self._agrees(kind, altered)
        return self._mixes[kind.model]

    def _agrees(self, kind: _Kind, requests: list[_Request]) -> bool:
        alone = [forward for request in requests for forward in self._compute(kind, [request], 0)]
        together = self._compute(kind, requests, 0)
        return all(
            torch.allclose(one.logits, other.logits, rtol=1e-3, atol=1e-3 * float(one.logits.abs().max()))
            for one, other in zip(alone, together, strict=True)
        )

    @torch.inference_mode()
    def _compute(self, kind: _Kind, requests: list[_Request], number: int) -> list[Forward]:
        model = kind.model
        sizes = [len(request.images) for request in requests]
        images = requests[0].images if len(requests) == 1 else np.concatenate([r.images for r in requests])
        mixture = None
        active: AbstractContextManager[None] = nullcontext()
        if len(requests) == 1 or (kind.statistics == Statistics.RUNNING and _are_one_version(requests)):
            model.load(requests[0].state)
            model.use(kind.statistics)
        else:
            mixture = Mixture(model, [request.state for request in requests], sizes, kind.statistics)
            active = mixture.active()
        collecting: AbstractContextManager[list[Tensor]] = (
            model.features() if kind.features else nullcontext([])
        )
        with active, collecting as collected:
            logits = model.logits(prepare(images, requests[0].source.preparation, self.device)).cpu()
        states: Sequence[NDArray[np.float32] | None] = [None] * len(requests)
        if kind.statistics.kept:
            # Copies: a row would keep the whole bank in memory.
            states = [model.read()] if mixture is None else [row.copy() for row in mixture.bank.cpu().numpy()]
        features = (
            torch.split(collected[-1].float().cpu(), sizes) if kind.features else [None] * len(requests)
        )
        return [
            Forward(*parts, number)
            for parts in zip(torch.split(logits, sizes), states, features, strict=True)
        ]


def _are_one_version(requests: list[_Request]) -> bool:
    return all(request.state is requests[0].state for request in requests)
