"""What a larger fleet costs: time for each batch of a device, and memory for each device."""

from __future__ import annotations

import gc
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from sim.bench.fresh import in_fresh_process, peak_bytes
from sim.bench.measuring import Report, alternate, ratios
from sim.bench.result import Figure, Result

if TYPE_CHECKING:
    from scenarios.schema import Scenario

NAME = "growth"
SUMMARY = (
    "Wall time for each device-batch in a large fleet over that in a small one, and memory for each device."
)
LIMITS = (
    "all fleets make as many batches of 1 to 4 images; building the fleet and its first moment are told apart; under "
    "`cema` times are taken with uploads and steps but nothing published, since versions for a whole fleet cost in "
    "proportion to it, and memory is measured with every version published."
)
TARGET_TIME = 1.2
TARGET_MEMORY_KB = 20.0

FLEETS = (100, 1_000, 10_000)
BATCHES = {"source": 1_000, "cema": 150}
"""Batches that arrive in all, by strategy."""

MEMORY_ROUNDS = 1
"""Memory hardly differs from round to round."""

NEVER = 1_000_000
"""Steps of which no run here takes as many."""
DURATION_S = 10.0
IMAGES_PER_PASS = 16
START = 1
"""The moment, in nanoseconds, at which every device has begun and the watch starts."""


class Spent(NamedTuple):
    """Seconds on the wall clock: to build a fleet and let it begin, and for each batch from then on."""

    start: float
    batch: float


def fleet(strategy: str, devices: int, batches: int, **settings: int) -> Scenario:
    """Describe a fleet, a quarter each with batches of 1 to 4 images, at which about so many batches arrive.

    Settings are those of the strategy.
    """
    from scenarios.schema import Scenario  # noqa: PLC0415

    group = {
        "count": devices // 4,
        "schedule": [{"duration_s": DURATION_S / 2}, {"corruption": "gaussian_noise", "severity": 4}],
        "compute": {"gflops": 20.0},
        "link": {
            "uplink_mbps": 5.0,
            "downlink_mbps": 20.0,
            "latency_ms": 45.0,
            "jitter_ms": 15.0,
            "loss": 0.01,
        },
    }
    rate = batches / devices / DURATION_S
    return Scenario.model_validate(
        {
            "name": "growth",
            "duration_s": DURATION_S,
            "data": {"packaged": "fashion-mnist"},
            "models": {
                "edge": {"packaged": "fashion-mnist-edge"},
                "foundation": {"packaged": "fashion-mnist-foundation"},
            },
            "strategy": {"name": strategy} | settings,
            "cloud": {"gflops": 2000.0},
            "groups": {
                f"batch-{size}": group | {"stream": {"rate_hz": rate, "batch_size": size}}
                for size in range(1, 5)
            },
        }
    )


def run(scenario: Scenario, device: str) -> Spent:
    """Simulate a scenario of one strategy in this process."""
    from models.placement import choose_device, place  # noqa: PLC0415 - heavy
    from models.rendering import Renderer  # noqa: PLC0415
    from sim.recorder import Recorder  # noqa: PLC0415
    from sim.simulation import Simulation  # noqa: PLC0415

    placement = place(choose_device(device), IMAGES_PER_PASS)
    data = scenario.data.load()
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder)) as recorder, Renderer() as renderer:
        built = perf_counter()
        simulation = Simulation(scenario, scenario.strategy[0], data, recorder, placement, renderer)
        begun: list[float] = []
        simulation.clock.call_at(START, lambda: begun.append(perf_counter()))
        with simulation.executor:
            simulation.run(slices=1)
            simulation.conclusions.settle()
            ended = perf_counter()
            simulation.finish()
        fleet = simulation.devices.values()
        batches = sum(one.counts.predicted / one.settings.stream.batch_size for one in fleet)
    return Spent(begun[0] - built, (ended - begun[0]) / batches)


def memory_per_device(strategy: str, devices: int, device: str) -> float:
    """Return the bytes by which a fleet raises this process's peak, for each device; for a process of its own.

    A small fleet has made as many batches before: the peak has in it PyTorch, models, data, and what steps take.
    """
    run(fleet(strategy, FLEETS[0], BATCHES[strategy]), device)
    gc.collect()
    before = peak_bytes()
    run(fleet(strategy, devices, BATCHES[strategy]), device)
    return (peak_bytes() - before) / devices


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Compare fleets of 100, 1 000 and 10 000 devices in time, and measure the memory of the largest."""
    found: list[Figure] = []
    for strategy, batches in BATCHES.items():
        silent = {"publish_every_steps": NEVER} if strategy == "cema" else {}
        sides = {str(n): partial(run, fleet(strategy, n, batches, **silent), device) for n in FLEETS}
        spent = alternate(sides, rounds, report=report)
        found += times(strategy, {int(devices): each for devices, each in spent.items()})
    for strategy in BATCHES:
        memory = []
        for number in range(MEMORY_ROUNDS):
            report(f"memory under {strategy}, round {number + 1}")
            memory.append(in_fresh_process(memory_per_device, strategy, FLEETS[-1], device) / 1e3)
        name = f"{strategy}: memory of a device, of {FLEETS[-1]:,}"
        found.append(Figure.of(name, memory, "kB", TARGET_MEMORY_KB, "lower"))
    return Result(NAME, tuple(found), LIMITS)


def times(strategy: str, spent: dict[int, list[Spent]]) -> tuple[Figure, ...]:
    """Turn what every round of each fleet took, the smallest first, into figures."""
    smallest, *_, largest = spent
    batch = {devices: [one.batch for one in each] for devices, each in spent.items()}
    compared = [
        Figure.of(
            f"{strategy}: time of a batch, {devices:,} / {smallest:,} devices",
            ratios(batch[devices], batch[smallest]),
            target=TARGET_TIME if devices == largest else None,
            better="lower",
        )
        for devices in spent
        if devices != smallest
    ]
    begin = [1e3 * one.start / largest for one in spent[largest]]
    note = "not in the time of a batch"
    return (
        *compared,
        Figure.of(f"{strategy}: to build and begin a device", begin, "ms", better="lower", note=note),
    )
