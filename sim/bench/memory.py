"""Whether a run's memory grows with its length: peaks of a run and of one ten times as long."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sim.bench.fresh import in_fresh_process, peak_bytes
from sim.bench.measuring import Report, alternate, ratios
from sim.bench.result import Figure, Result
from sim.bench.running import simulate

if TYPE_CHECKING:
    from scenarios.schema import Scenario

NAME = "memory"
SUMMARY = "Peak resident memory of a run ten times as long over that of the run, each in a fresh process."
LIMITS = (
    "the peaks include PyTorch itself and the summary; the cloud's replay buffer fills up to its capacity."
)
TARGET = 1.1

DEVICES = 20
BATCH_SIZE = 4
BATCHES = 40
"""Batches that arrive in the shorter run."""
LONGER = 10

STEP = {"batch_size": 16, "replay": {"minimum": 48}}
"""Small steps that replay early, so that the shorter run too comes to take its largest."""


def uploading(batches: int) -> Scenario:
    """Describe a fleet under `cema` at which so many batches arrive."""
    from scenarios.schema import Scenario  # noqa: PLC0415

    return Scenario.model_validate(
        {
            "name": "memory",
            "duration_s": batches / DEVICES,
            "data": {"packaged": "fashion-mnist"},
            "models": {
                "edge": {"packaged": "fashion-mnist-edge"},
                "foundation": {"packaged": "fashion-mnist-foundation"},
            },
            "strategy": {"name": "cema", "preset": "paper"} | STEP,
            "cloud": {"gflops": 2000.0},
            "groups": {
                "cameras": {
                    "count": DEVICES,
                    "stream": {"rate_hz": 1.0, "batch_size": BATCH_SIZE},
                    "schedule": [{"corruption": "gaussian_noise", "severity": 3}],
                    "compute": {"gflops": 20.0},
                    "link": {"uplink_mbps": 5.0, "downlink_mbps": 20.0, "latency_ms": 45.0, "loss": 0.01},
                },
            },
        }
    )


def peak_of_run(batches: int, device: str) -> int:
    """Run the fleet for so many batches and return this process's peak in bytes; for a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        simulate(uploading(batches), Path(place) / "run", device)
    return peak_bytes()


def measure(rounds: int, report: Report, device: str = "auto") -> Result:
    """Compare the peaks of a run under `cema` and of one ten times as long."""
    sides = {
        name: lambda batches=batches: in_fresh_process(peak_of_run, batches, device)
        for name, batches in (("short", BATCHES), ("long", LONGER * BATCHES))
    }
    peaks = alternate(sides, rounds, report=report)
    return Result(NAME, figures(peaks["short"], peaks["long"]), LIMITS)


def figures(short: list[int], long: list[int]) -> tuple[Figure, ...]:
    """Turn the peaks in bytes, one of each a round, into the ratio and what lies behind it."""
    more = (LONGER - 1) * BATCHES
    grown = [(after - before) / more for before, after in zip(short, long, strict=True)]
    return (
        Figure.of(
            f"peak of a run {LONGER} times as long", ratios(long, short), target=TARGET, better="lower"
        ),
        Figure.of("growth for each batch", grown, "B", better="lower"),
        Figure.of("peak of the shorter run", [peak / 2**20 for peak in short], "MiB", better="lower"),
    )
