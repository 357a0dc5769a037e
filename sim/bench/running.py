"""Runs as the sides of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sim.results import MANIFEST

if TYPE_CHECKING:
    from scenarios.schema import Scenario


def simulate(scenario: Scenario, folder: Path, device: str, *, allow_code: bool = False) -> float:
    """Run a scenario of one strategy as a user does, without figures, in place of the run that the folder may hold.

    Returns the seconds from building the simulation to its closed tables. What `run_scenario` does around that is not
    among them: checks, content hash, loading the data set, trial passes of the models, manifest and summary.
    """
    from sim.run import Options, run_scenario  # noqa: PLC0415 - heavy

    options = Options(device, force=True, allow_code=allow_code, figures=False)
    run_scenario(scenario, folder, options)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return float(manifest["wall_s"])
