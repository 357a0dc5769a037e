"""One device on an ideal link against the published algorithm written as a plain sequential loop."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from sim.bench.measuring import Report, alternate, ratios, wall_time
from sim.bench.overhead import BareLoop, Work
from sim.bench.result import Figure, Result
from sim.bench.running import simulate

if TYPE_CHECKING:
    import torch
    from torch import nn

    from models.datasets import DataSet
    from scenarios.schema import Scenario
    from sim.bench.published import Model
    from sim.world import Batch, DeviceStream

NAME = "reference-loop"
SUMMARY = "Wall time of the published algorithm as a plain loop over that of a run with one device on an ideal link."
LIMITS = (
    "convolutions, which both sides need alike. A bare loop of the same passes and steps on ready tensors is the least "
    "that a run can take, so the plain loop over it is the most that this benchmark can show."
)
TARGET = 2.0

STEP_SAMPLES = 32
"""Of a training pass whose layers are compared."""

BATCHES = 8
"""Edge batches of 64, as published, in a measured round; one seed a round."""


@dataclass
class Outcome:
    """What one side did with one seed.

    Attributes:
        seconds: from building the models to the last decision.
        predictions: of every sample, in order.
        kept: the positions of kept samples among all.
        labels: of every sample.
        bare_seconds: what a run's passes and steps take by themselves, where they were made once more.

    """

    seconds: float = 0.0
    predictions: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    bare_seconds: float = 0.0

    def add(self, predictions: Sequence[int], kept: Sequence[int], labels: Sequence[int]) -> None:
        """Take in a batch; `kept` are positions in it."""
        self.kept += [len(self.predictions) + place for place in kept]
        self.predictions += predictions
        self.labels += labels

    @property
    def accuracy(self) -> float:
        """The share of correct predictions."""
        return mean(a == b for a, b in zip(self.predictions, self.labels, strict=True))

    @property
    def decisions(self) -> list[tuple[int, bool]]:
        """Of every sample, what was predicted, and whether it was kept."""
        kept = set(self.kept)
        return [(prediction, place in kept) for place, prediction in enumerate(self.predictions)]


def ideal(seed: int, batches: int = BATCHES) -> Scenario:
    """Describe one device on an ideal link, in noise, under `preset: reference` with the packaged models."""
    from scenarios.schema import Scenario  # noqa: PLC0415

    return Scenario.model_validate(
        {
            "name": "ideal",
            "seed": seed,
            "duration_s": float(batches),
            "data": {"packaged": "fashion-mnist"},
            "models": {
                "edge": {"packaged": "fashion-mnist-edge"},
                "foundation": {"packaged": "fashion-mnist-foundation"},
            },
            "strategy": {
                "name": "cema",
                "preset": "reference",
                "criteria": {"redundant": {"d_margin": 0.4}},
            },
            "cloud": {"gflops": math.inf, "update_codec": "fp32"},
            "groups": {"only": ideal_device()},
        }
    )


def ideal_device(edge_batch: int = 64) -> dict[str, Any]:
    """Describe a device without limits, which sees noise from the first second on."""
    return {
        "stream": {"rate_hz": 1.0, "batch_size": edge_batch, "phase": "zero"},
        "schedule": [{"corruption": "gaussian_noise", "severity": 3}],
        "compute": {"gflops": math.inf},
        "link": {"uplink_mbps": math.inf, "downlink_mbps": math.inf},
        "upload_codec": "raw",
    }


def run(scenario: Scenario, device: str, *, allow_code: bool = False, bare: bool = False) -> Outcome:
    """Run the scenario as a user does; its time is that of building the simulation, of running and recording it.

    With `bare`, make the same passes and steps again in a bare loop.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    from models.placement import choose_device  # noqa: PLC0415

    outcome = Outcome()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        outcome.seconds = simulate(scenario, folder, device, allow_code=allow_code)
        if bare:
            loop = BareLoop(scenario, Work.read(folder), choose_device(device))
            outcome.bare_seconds = wall_time(loop.run)
        for row in pq.read_table(folder / "batches.parquet").to_pylist():
            kept = [place for place, verdict in enumerate(row["verdict"]) if verdict == "kept"]
            outcome.add(row["prediction"], kept, row["label"])
    return outcome


def loop(
    scenario: Scenario, data: DataSet, place: torch.device, build: Callable[[nn.Module], Model]
) -> Outcome:
    """Run the published loop on what the scenario's device sees, rendered one batch ahead as for a run."""
    outcome = Outcome()
    outcome.seconds = wall_time(partial(_loop, scenario, data, place, build, outcome))
    return outcome


def _loop(
    scenario: Scenario,
    data: DataSet,
    place: torch.device,
    build: Callable[[nn.Module], Model],
    outcome: Outcome,
) -> None:
    from models.rendering import Renderer  # noqa: PLC0415
    from sim.bench.published import PublishedLoop, sample  # noqa: PLC0415 - heavy
    from sim.streams import RandomStreams  # noqa: PLC0415
    from sim.world import DeviceStream  # noqa: PLC0415

    settings: Any = scenario.strategy[0]
    assert scenario.models.foundation is not None  # the schema asks for one under cema
    edge, foundation = scenario.models.edge.load(), scenario.models.foundation.load()
    streams = RandomStreams(scenario.seed)
    published = PublishedLoop(
        build(edge.network.to(place)),
        build(foundation.network.to(place)),
        streams.generator("cloud/replay/fleet"),
        edge.num_classes,
        settings.batch_size,
        settings.replay.minimum,
        settings.criteria.redundant.d_margin,
        settings.e_max_share,
    )
    preparation = edge.preparation.for_data(data.cropped)
    with Renderer() as renderer:
        stream = DeviceStream("only-0", scenario.groups["only"], data, streams, renderer)
        for batch, images in _seen(stream, round(scenario.duration_s)):
            samples = [sample(image, preparation, place) for image in images]
            outcome.add(*published.batch(samples), batch.labels.tolist())


def _seen(stream: DeviceStream, batches: int) -> Iterator[tuple[Batch, Any]]:
    """Yield batches with their images, uint8 (N, H, W, C), while the next one is being rendered."""
    pending = ((batch, stream.render(batch)) for batch in islice(stream.batches(), batches))
    batch, rendering = next(pending)
    for following in pending:
        yield batch, rendering.result()[0]
        batch, rendering = following
    yield batch, rendering.result()[0]


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Compare both on the packaged models, each round with another seed."""
    return compare(ideal, rounds, report, device)


def compare(
    scenario: Callable[[int], Scenario], rounds: int, report: Report, device: str, *, allow_code: bool = False
) -> Result:
    """Compare run and loop on a scenario of one device, given by seed."""
    from models.placement import choose_device  # noqa: PLC0415 - heavy
    from sim.bench.published import NaiveModel, SharedModel  # noqa: PLC0415

    place = choose_device(device)
    data = scenario(0).data.load()
    report("same kernels")
    own = run(scenario(0), device, allow_code=allow_code)
    shared = loop(scenario(0), data, place, SharedModel)
    seeds = {side: iter(range(rounds)) for side in ("run", "loop")}
    taken = alternate(
        {
            "run": lambda: run(scenario(next(seeds["run"])), device, allow_code=allow_code, bare=True),
            "loop": lambda: loop(scenario(next(seeds["loop"])), data, place, NaiveModel),
        },
        rounds,
        report=report,
    )
    report("training passes")
    normalisation = _normalisation(scenario(0), data, place, rounds)
    found = (*_speed(taken), _agreement(own, shared), *_differences(taken), normalisation)
    return Result(NAME, found, LIMITS)


def _normalisation(scenario: Scenario, data: DataSet, place: torch.device, rounds: int) -> Figure:
    """Compare training passes of the foundation model that differ in their layers, and the layout of activations."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415 - heavy

    from models.allocator import freed_memory_kept  # noqa: PLC0415 - heavy
    from sim.bench.published import NaiveModel, SharedModel, sample  # noqa: PLC0415

    foundation = scenario.models.foundation
    assert foundation is not None  # the schema asks for one under cema
    loaded = {name: foundation.load() for name in ("naive", "native")}
    preparation = loaded["naive"].preparation.for_data(data.cropped)
    images, _ = data.read(np.arange(STEP_SAMPLES) % len(data.labels))
    samples = [sample(image, preparation, place) for image in images]
    models: dict[str, Model] = {
        "naive": NaiveModel(loaded["naive"].network.to(place)),
        "native": SharedModel(loaded["native"].network.to(place)),
    }

    def side(model: Model) -> float:
        return wall_time(
            lambda: torch.autograd.backward(model.logits(samples, training=True).square().mean())
        )

    with freed_memory_kept():
        sides = {name: partial(side, model) for name, model in models.items()}
        taken = alternate(sides, 2 * rounds, warm_up=True)
    note = f"forward and backward of {STEP_SAMPLES} images, naive layers out of elementary operations"
    quotients = ratios(taken["naive"], taken["native"])
    return Figure.of("training pass, naive / native normalisation", quotients, note=note)


def _speed(taken: dict[str, list[Outcome]]) -> Iterator[Figure]:
    """Compare the plain loop with runs, and both with the least that a run of the same passes and steps can take."""
    loop, run = ([outcome.seconds for outcome in taken[side]] for side in ("loop", "run"))
    least = [outcome.bare_seconds for outcome in taken["run"]]
    note = (
        "preset reference with d_margin 0.4, one device, ideal link, raw uploads; both sides load and build their "
        "models and render while they compute"
    )
    yield Figure.of("plain loop / run", ratios(loop, run), target=TARGET, note=note)
    note = "a bare loop of the run's passes and steps on ready tensors: as fast as a run can be"
    yield Figure.of("plain loop / bare loop", ratios(loop, least), note=note)
    yield Figure.of("run / bare loop", ratios(run, least), better="lower")


def _agreement(own: Outcome, shared: Outcome) -> Figure:
    same = [mine == theirs for mine, theirs in zip(own.decisions, shared.decisions, strict=True)]
    note = (
        "samples with the same prediction and the same verdict, where the loop uses the laboratory's layers"
    )
    return Figure.of("same decisions", [100 * mean(same)], "%", 100.0, note=note)


def _differences(taken: dict[str, list[Outcome]]) -> Iterator[Figure]:
    pairs = list(zip(taken["run"], taken["loop"], strict=True))
    yield _difference("accuracy, run - loop", [100 * (a.accuracy - b.accuracy) for a, b in pairs])
    shares = [100 * (len(a.kept) - len(b.kept)) / len(a.labels) for a, b in pairs]
    yield _difference("samples uploaded, run - loop", shares)


def _difference(name: str, points: Sequence[float]) -> Figure:
    """Return the mean of paired differences, with Student's 95 % interval from two seeds on."""
    from analysis.seeds import student_quantile  # noqa: PLC0415

    middle, seeds = mean(points), len(points)
    note = f"mean of {seeds} seed{'s' if seeds > 1 else ''}"
    if seeds > 1:
        reach = student_quantile(0.975, seeds - 1) * stdev(points) / math.sqrt(seeds)
        equal = "equal" if abs(middle) <= reach else "different"
        note += f", 95 % interval [{middle - reach:.2f}, {middle + reach:.2f}]: {equal}"
    return Figure(name, middle, "points", None, "lower", tuple(points), note)
