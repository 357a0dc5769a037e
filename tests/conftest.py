"""Tiny worlds: forty 8x8 images of ten classes, and residual networks of a few hundred parameters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from models.placement import Placement
    from models.strategies import Base as Strategy
    from scenarios.schema import Scenario
    from sim.simulation import Simulation

# One thread for each operation, here and in processes that tests start: tests run side by side, one for each core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadlines: how long an example takes is the machine's business. No data base: runs leave no folder behind.
settings.register_profile("laboratory", deadline=None, database=None)
# A gate judges the change at hand, by the same examples each time; new ones are drawn wherever people test.
settings.register_profile("gate", settings.get_profile("laboratory"), derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "laboratory")

NETWORK = """
from models.networks import ResidualNetwork


def build():
    return ResidualNetwork((4, 8), (1, 1), 10)
"""

KEEP_ALL = {"unreliable": None, "low_informative": None, "redundant": None}


@dataclass(frozen=True)
class TinyWorld:
    """Scenarios on a folder with `data.npz`, `network.py`, `edge.safetensors` and `foundation.safetensors`."""

    folder: Path

    def group(self, **changes: Any) -> dict[str, Any]:
        """Return a group of one device, four images a second, on a link that is neither ideal nor hopeless."""
        return {
            "stream": {"rate_hz": 2.0, "batch_size": 2},
            "compute": {"gflops": 0.01, "overhead_ms": 1.0},
            "link": {"uplink_mbps": 0.05, "downlink_mbps": 0.1, "latency_ms": 20.0, "loss": 0.1},
        } | changes

    def cema(self, **changes: Any) -> dict[str, Any]:
        """Return a CEMA that uploads every sample and takes a step on every four."""
        replay = {"capacity": 16, "minimum": 4, "ratio": 1}
        return {"name": "cema", "criteria": KEEP_ALL, "batch_size": 4, "replay": replay} | changes

    def describe(self, **changes: Any) -> dict[str, Any]:
        """Return a scenario as plain data: ten seconds, two devices, `source`."""
        model = {"factory": "network.py:build", "num_classes": 10, "mean": [0.5], "std": [0.25]}
        return {
            "name": "tiny",
            "seed": 7,
            "duration_s": 10.0,
            "data": {"npz": "data.npz"},
            "models": {
                "edge": model | {"checkpoint": "edge.safetensors"},
                "foundation": model | {"checkpoint": "foundation.safetensors"},
            },
            "strategy": {"name": "source"},
            "cloud": {"gflops": 1.0},
            "groups": {"cameras": self.group(count=2)},
        } | changes

    def scenario(self, **changes: Any) -> Scenario:
        """Return the scenario of `describe`."""
        from scenarios.schema import Scenario  # noqa: PLC0415

        return Scenario.model_validate(self.describe(**changes), context={"folder": self.folder})

    def write(self, name: str, **changes: Any) -> Path:
        """Write the scenario of `describe` to a file beside the data."""
        import yaml  # noqa: PLC0415

        path = self.folder / name
        path.write_text(yaml.safe_dump(self.describe(**changes)), encoding="utf-8")
        return path

    def simulation(
        self,
        scenario: Scenario,
        folder: Path,
        strategy: Strategy | None = None,
        placement: Placement | None = None,
    ) -> Simulation:
        """Return a simulation that records into `folder`; its recorder is closed by the caller.

        By default up to eight images share a pass.
        """
        import torch  # noqa: PLC0415

        from models.placement import Placement  # noqa: PLC0415
        from models.rendering import Renderer  # noqa: PLC0415
        from sim.recorder import Recorder  # noqa: PLC0415
        from sim.simulation import Simulation  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        strategy = strategy or scenario.strategy[0]
        data, placement = scenario.data.load(), placement or Placement(torch.device("cpu"), images_per_pass=8)
        return Simulation(scenario, strategy, data, Recorder(folder), placement, Renderer(1))

    def run(self, folder: Path, placement: Placement | None = None, **changes: Any) -> Path:
        """Run the scenario of `describe` to its end, record it into `folder` and return the folder."""
        simulation = self.simulation(self.scenario(**changes), folder, placement=placement)
        with simulation.recorder, simulation.executor:
            simulation.run(slices=1)
            simulation.finish()
        return folder


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set, the network's factory and the weights of two networks."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    from models.networks import ResidualNetwork  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny")
    generator = np.random.default_rng(0)
    labels = np.arange(40) % 10
    images = generator.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=labels)
    (folder / "network.py").write_text(NETWORK, encoding="utf-8")
    with torch.random.fork_rng():
        for seed, name in enumerate(("edge", "foundation")):
            torch.manual_seed(seed)
            save_file(ResidualNetwork((4, 8), (1, 1), 10).state_dict(), str(folder / f"{name}.safetensors"))
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_files: Path) -> TinyWorld:
    """Scenarios on the tiny data set and networks."""
    return TinyWorld(tiny_files)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is measured of this machine is remembered for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
