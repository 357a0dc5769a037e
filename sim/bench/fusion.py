"""Fused forward passes: many devices' batches of one image in few passes, against one pass each."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.bench.measuring import Report, alternate, ratios, wall_time
from sim.bench.result import Figure, Result
from sim.bench.running import simulate

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from models.datasets import DataSet
    from models.normalisation import AdaptableModel
    from models.sources import LoadedModel
    from scenarios.schema import Scenario

NAME = "fusion"
SUMMARY = "Wall time of one pass for each device over that of fused passes, for 256 devices with batches of one image."
LIMITS = (
    "the convolutions of each image, which fusing does not save; in the run also rendering, scheduling and recording, "
    "which both sides do."
)
TARGET = 2.2

DEVICES = 256
MOMENTS = 5
"""Seconds simulated, with one image a second on each device."""

REPEATS = 4
"""Times that all requests are made in a round, at the level of the executor."""


def simultaneous(devices: int = DEVICES, moments: int = MOMENTS) -> Scenario:
    """Describe devices that hold one version for ever, and whose images arrive at the same moments."""
    from scenarios.schema import Scenario  # noqa: PLC0415

    return Scenario.model_validate(
        {
            "name": "simultaneous",
            "duration_s": float(moments),
            "data": {"packaged": "fashion-mnist"},
            "models": {"edge": {"packaged": "fashion-mnist-edge"}},
            "strategy": {"name": "source"},
            "cloud": {"gflops": math.inf},
            "groups": {
                "cameras": {
                    "count": devices,
                    "stream": {"rate_hz": 1.0, "batch_size": 1, "phase": "zero"},
                    "compute": {"gflops": 6.0},
                    "link": {"uplink_mbps": math.inf, "downlink_mbps": math.inf},
                }
            },
        }
    )


def of_runs(
    scenario: Scenario, rounds: int, report: Report, device: str, *, allow_code: bool = False
) -> Figure:
    """Compare runs of a scenario that differ in nothing but fusing."""
    with tempfile.TemporaryDirectory() as place:
        alone = scenario.model_copy(update={"images_per_pass": 1})
        sides = {
            name: partial(simulate, described, Path(place) / "run", device, allow_code=allow_code)
            for name, described in (("fused", scenario), ("one by one", alone))
        }
        taken = alternate(sides, rounds, warm_up=True, report=report)
    note = "a run of `source`; building, rendering and recording on both sides"
    quotients = ratios(taken["one by one"], taken["fused"])
    return Figure.of("one version: one by one / fused", quotients, target=TARGET, note=note)


def of_requests(
    source: LoadedModel,
    data: DataSet,
    place: torch.device,
    rounds: int,
    report: Report,
    requests: int = DEVICES,
    repeats: int = REPEATS,
) -> Figure:
    """Compare executors that are given requests of one image each, every one with a version of its own."""
    from models.normalisation import AdaptableModel  # noqa: PLC0415 - heavy
    from models.placement import Placement  # noqa: PLC0415
    from models.tuning import images_per_pass  # noqa: PLC0415

    size = images_per_pass(source, data.shape, Placement(place))
    model = AdaptableModel(source.network, place)
    images, _ = data.read(np.arange(requests) % len(data.labels))
    single = [image[None] for image in images]
    versions = list(_versions(model.read(), requests))

    def answer(images_per_pass: int) -> None:
        for _ in range(repeats):
            _answer(model, source, single, versions, place, images_per_pass)

    def side(images_per_pass: int) -> Callable[[], float]:
        return lambda: wall_time(lambda: answer(images_per_pass))

    taken = alternate({"fused": side(size), "one by one": side(1)}, rounds, warm_up=True, report=report)
    note = f"the executor alone, up to {size} images a pass"
    quotients = ratios(taken["one by one"], taken["fused"])
    return Figure.of("versions that differ: one by one / fused", quotients, target=TARGET, note=note)


def of_arithmetic(
    source: LoadedModel, data: DataSet, place: torch.device, rounds: int, report: Report
) -> Iterator[Figure]:
    """Compare passes of full size with less precise ones, and with compiled ones once they are."""
    from models.arithmetic import Arithmetic  # noqa: PLC0415
    from models.normalisation import AdaptableModel  # noqa: PLC0415 - heavy
    from models.placement import Placement  # noqa: PLC0415
    from models.tuning import images_per_pass  # noqa: PLC0415

    size = images_per_pass(source, data.shape, Placement(place))
    images, _ = data.read(np.arange(size) % len(data.labels))

    def side(arithmetic: Arithmetic) -> Callable[[], float]:
        model = AdaptableModel(deepcopy(source.network), place, arithmetic)
        versions = [model.read()] * REPEATS
        whole = [images] * REPEATS
        return lambda: wall_time(lambda: _answer(model, source, whole, versions, place, size))

    sides = {
        "float32": side(Arithmetic()),
        "bfloat16": side(Arithmetic("bfloat16")),
        "compiled": side(Arithmetic(compiled=True)),
    }
    taken = alternate(sides, rounds, warm_up=True, report=report)
    for name in ("bfloat16", "compiled"):
        note = f"{size} images in a pass, warm"
        yield Figure.of(f"float32 / {name} passes", ratios(taken["float32"], taken[name]), note=note)


def _versions(state: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return states that differ a little in every value, float32 (count, D)."""
    generator = np.random.default_rng(0)
    factors = generator.uniform(0.98, 1.02, (count, len(state)))
    return (state * factors).astype(np.float32)


def _answer(
    model: AdaptableModel,
    source: LoadedModel,
    batches: Sequence[NDArray[np.uint8]],
    versions: Sequence[NDArray[np.float32]],
    place: torch.device,
    images_per_pass: int,
) -> None:
    """Submit a request for each batch and its version, then ask for all results."""
    from models.executor import Executor  # noqa: PLC0415 - heavy
    from models.normalisation import Statistics  # noqa: PLC0415
    from models.placement import Placement  # noqa: PLC0415

    with Executor(Placement(place, images_per_pass)) as executor:
        pending = [
            executor.forward(model, source, images, version, Statistics.RUNNING)
            for images, version in zip(batches, versions, strict=True)
        ]
        for forward in pending:
            forward.result()


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Compare on the packaged edge model."""
    from models.fitting import fit  # noqa: PLC0415 - heavy
    from models.placement import choose_device  # noqa: PLC0415

    scenario = simultaneous()
    data = scenario.data.load()
    runs = of_runs(scenario, rounds, report, device)
    source = fit(scenario.models.edge.load(), data)
    place = choose_device(device)
    requests = of_requests(source, data, place, rounds, report)
    # Compiling for a CPU takes longer than all else here.
    others = of_arithmetic(source, data, place, rounds, report) if place.type == "cuda" else ()
    return Result(NAME, (runs, requests, *others), LIMITS)
