"""What simulating costs: a run against a bare PyTorch loop of the same passes and steps on ready tensors."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sim.bench.measuring import Report, alternate, ratios, wall_time
from sim.bench.result import Figure, Result
from sim.bench.running import simulate

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.normalisation import AdaptableModel
    from scenarios.schema import Scenario

NAME = "overhead"
SUMMARY = (
    "Wall time of a run over that of a bare PyTorch loop making the same passes and steps on ready tensors."
)
LIMITS = (
    "encoding and decoding of uploads, and rendering, which shares memory and Python's lock with the passes; under "
    "`source` there is little else to compute."
)
TARGET = 1.1

DURATIONS_S = {"cema": 200.0, "source": 450.0}
"""Of the packaged quickstart, simulated, by strategy."""


@dataclass(frozen=True)
class Work:
    """What a run computed.

    Attributes:
        orders: in order, the samples of a pass of the edge model as (n,), and the new and the replayed samples of a
            cloud step as (n, r).

    """

    orders: tuple[tuple[int, ...], ...]

    @classmethod
    def read(cls, folder: Path) -> Work:
        """Read what a run computed from its tables; batches that were predicted in one pass are one pass."""
        import pandas as pd  # noqa: PLC0415 - heavy

        batches = pd.read_parquet(folder / "batches.parquet").query("status == 'predicted'").reset_index()
        number = "forward_pass" if "forward_pass" in batches else "index"
        passes = batches.groupby(number).agg({"start_s": "max", "samples": "sum"})
        steps = pd.read_parquet(folder / "updates.parquet").query("flops > 0")  # the others were not finished
        found: list[tuple[float, tuple[int, ...]]] = [
            (start, (int(samples),)) for start, samples in zip(passes.start_s, passes.samples, strict=True)
        ]
        columns = (steps.start_s, steps.new_samples, steps.replayed_samples)
        found += [(start, (int(new), int(replayed))) for start, new, replayed in zip(*columns, strict=True)]
        return cls(tuple(order for _, order in sorted(found, key=lambda pair: pair[0])))

    @property
    def largest(self) -> int:
        """Samples of the largest pass or step."""
        return max(map(sum, self.orders))


class BareLoop:
    """The passes and steps of a run and nothing else: no clock, no images to prepare, no records.

    Attributes:
        scenario: says which models, statistics, losses and rates; its only strategy is `source` or `cema`.
        images: as many as the largest pass or step takes, normalised, float32 (N, C, H, W), channels last.

    """

    def __init__(self, scenario: Scenario, work: Work, place: torch.device) -> None:
        import numpy as np  # noqa: PLC0415

        from models.images import prepare  # noqa: PLC0415 - heavy

        self.scenario, self.work, self.place = scenario, work, place
        data = scenario.data.load()
        images, _ = data.read(np.arange(work.largest) % len(data.labels))
        self.images = prepare(images, scenario.models.edge.load().preparation.for_data(data.cropped), place)

    def run(self) -> None:
        """Build the models, then make every pass and step, memory kept as in a run; return when the last is done."""
        from models.allocator import freed_memory_kept  # noqa: PLC0415

        with freed_memory_kept():
            self._run()

    def _run(self) -> None:
        import torch  # noqa: PLC0415 - heavy

        edge = self._edge()
        learner = Learner(self.scenario, self.place) if self._learns else None
        for order in self.work.orders:
            if len(order) == 1:
                with torch.inference_mode():
                    edge.network(self.images[: order[0]])
            elif learner is not None:
                new, replayed = order
                learner.step(self.images[: new + replayed], new)
        if self.place.type == "cuda":
            torch.cuda.synchronize()

    @property
    def _learns(self) -> bool:
        return any(len(order) > 1 for order in self.work.orders)

    def _edge(self) -> AdaptableModel:
        from models.normalisation import AdaptableModel, Statistics  # noqa: PLC0415 - heavy
        from models.strategies._cloud import CloudLearning  # noqa: PLC0415

        edge = AdaptableModel(self.scenario.models.edge.load().network, self.place)
        settings = self.scenario.strategy[0]
        edge.use(settings.first_statistics() if isinstance(settings, CloudLearning) else Statistics.RUNNING)
        return edge


class Learner:
    """The cloud's models, optimisers and losses under `cema`, called directly."""

    def __init__(self, scenario: Scenario, place: torch.device) -> None:
        import math  # noqa: PLC0415

        import torch  # noqa: PLC0415 - heavy

        from models.normalisation import AdaptableModel, Statistics  # noqa: PLC0415

        settings: Any = scenario.strategy[0]
        assert scenario.models.foundation is not None  # the schema asks for one under cema
        source, foundation = scenario.models.edge.load(), scenario.models.foundation.load()
        self.student = AdaptableModel(source.network, place)
        self.teacher = AdaptableModel(foundation.network, place)
        self.student.use(Statistics.FIRST)
        self.teacher.use(Statistics.FIRST)
        self.e_max = settings.e_max_share * math.log(source.num_classes)
        self.weights = settings.distillation.weights(self.e_max)
        rates = (settings.distillation.learning_rate, settings.foundation.learning_rate)
        self.student_descent, self.teacher_descent = (
            torch.optim.SGD(model.parameters, rate, settings.momentum)
            for model, rate in zip((self.student, self.teacher), rates, strict=True)
        )

    def step(self, images: Tensor, new: int) -> None:
        """Adapt the teacher to the first `new` of the images (N, C, H, W), then distil on all of them."""
        import torch  # noqa: PLC0415 - heavy

        from models.distillation import weighted_entropy  # noqa: PLC0415

        if new:
            self.teacher.network.train()
            _descend(self.teacher_descent, weighted_entropy(self.teacher.network(images[:new]), self.e_max))
            self.teacher.network.eval()
        with torch.no_grad():
            target = self.teacher.network(images)
        self.student.network.train()
        losses = self.weights.objective(target)(self.student.network(images))
        _descend(self.student_descent, losses["distillation_loss"])


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def seconds(
    scenario: Scenario, rounds: int, report: Report, device: str, *, allow_code: bool = False
) -> dict[str, list[dict[str, float]]]:
    """Measure a scenario of one strategy, alternately.

    Returns for each round of `run` the seconds of its `simulation`, from building it to closed tables, and of the
    `whole`, with checks, hashes, the loading of data and the summary; for each round of `loop` its `seconds`.
    """
    from models.placement import choose_device  # noqa: PLC0415 - heavy

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"

        def run() -> dict[str, float]:
            started = perf_counter()
            simulation = simulate(scenario, folder, device, allow_code=allow_code)
            return {"simulation": simulation, "whole": perf_counter() - started}

        report("warming up: run")
        run()
        loop = BareLoop(scenario, Work.read(folder), choose_device(device))
        report("warming up: loop")
        loop.run()
        sides = {"run": run, "loop": lambda: {"seconds": wall_time(loop.run)}}
        return alternate(sides, rounds, report=report)


def figures(label: str, taken: dict[str, list[dict[str, float]]], target: float | None) -> tuple[Figure, ...]:
    """Turn the seconds of a strategy into ratios to the bare loop."""
    loop = [measured["seconds"] for measured in taken["loop"]]

    def ratio(name: str, key: str, target: float | None, note: str) -> Figure:
        quotients = ratios([measured[key] for measured in taken["run"]], loop)
        return Figure.of(name, quotients, target=target, better="lower", note=note)

    return (
        ratio(
            f"{label}: run / bare loop",
            "simulation",
            target,
            "both sides load and build their models; the run also renders, encodes, schedules, and closes its tables",
        ),
        ratio(
            f"{label}: run with checks and summary / bare loop",
            "whole",
            None,
            "also content hash, data set, trial pass of each model, manifest and summary",
        ),
    )


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Compare the packaged quickstart under `cema` and, where the rest weighs more, `source` with bare loops."""
    found: list[Figure] = []
    for label, duration_s in DURATIONS_S.items():
        taken = seconds(shortened(label, duration_s), rounds, partial(_prefixed, report, label), device)
        found += figures(label, taken, TARGET if label == "cema" else None)
    return Result(NAME, tuple(found), LIMITS)


def _prefixed(report: Report, label: str, text: str) -> None:
    report(f"{label}, {text}")


def shortened(strategy: str, duration_s: float) -> Scenario:
    """Return the packaged quickstart's first seconds under one of its strategies."""
    from scenarios.loader import load  # noqa: PLC0415

    whole = load("quickstart", [f"duration_s={duration_s}"])
    return whole.model_copy(update={"strategy": tuple(s for s in whole.strategy if s.name == strategy)})
