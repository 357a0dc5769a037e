"""The manifest of a run: what produced the results, and how far it came."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.hardware import processor
from sim.results import MANIFEST

PACKAGES = ("torch", "torchvision", "timm", "simpy", "numpy", "pandas", "pyarrow", "pillow")


def package_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of those that it computes with."""
    return {"python": platform.python_version(), "cema-lab": version("cema-lab")} | {
        package: version(package) for package in PACKAGES
    }


def git_state() -> dict[str, Any] | None:
    """Return commit and cleanliness of the checkout that holds this file; None outside of one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", Path(__file__).name):
            return None  # installed inside somebody else's repository
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def hardware() -> dict[str, Any]:
    """Return machine, system, processor, cores and GPU."""
    import torch  # noqa: PLC0415 - heavy

    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


@dataclass
class Manifest:
    """Written when the run starts and again when it ends.

    Attributes:
        placement: where models were computed, with how many threads, and how many images shared a pass at most: all of
            models.placement.Placement.
        status: running, done, interrupted or failed.
        simulated_s, wall_s: how far the run came, and what it took.
        damaged: images that could not be read and were left out, by path, each with the reason.
        hopeless: samples that a budget never has room for, by the budget's name: their number `samples`, and
            `least_bytes`, those of the smallest of them alone with its headers.

    """

    scenario: str
    strategy: str
    seed: int
    content_hash: str
    placement: dict[str, Any]
    status: str = "running"
    simulated_s: float = 0.0
    wall_s: float = 0.0
    error: str | None = None
    damaged: dict[str, str] = field(default_factory=dict)
    hopeless: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=package_versions)
    git: dict[str, Any] | None = field(default_factory=git_state)
    hardware: dict[str, Any] = field(default_factory=hardware)

    def write(self, folder: Path) -> None:
        """Write the manifest into a result folder."""
        text = json.dumps(vars(self), indent=2, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
