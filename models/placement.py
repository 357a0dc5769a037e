"""Where a run computes: the one place that decides on devices, threads and the size of fused passes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from models.arithmetic import EXACT, Arithmetic
from models.errors import InputError

THREADS_TO_OVERLAP = 4
"""Threads from which on training steps run beside passes, each with threads of its own."""


@dataclass(frozen=True)
class Placement:
    """Where and how models are computed.

    Attributes:
        device: where models and images are.
        images_per_pass: most images that requests may share a forward pass with; a larger request runs alone.
        pass_threads: threads of each operation of a pass, on a CPU.
        overlaps: whether training steps run in a thread beside the passes.
        step_threads: threads of each operation of a step.
        arithmetic: in which precision, and whether compiled.

    """

    device: torch.device
    images_per_pass: int = 1
    pass_threads: int = field(default_factory=torch.get_num_threads)
    overlaps: bool = False
    step_threads: int = field(default_factory=torch.get_num_threads)
    arithmetic: Arithmetic = EXACT


def place(device: torch.device, images_per_pass: int = 1) -> Placement:
    """Decide for a device; on a CPU with threads to spare, a quarter of them serves passes and the others steps."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads < THREADS_TO_OVERLAP:
        return Placement(device, images_per_pass, threads, overlaps=False, step_threads=threads)
    passes = threads // 4
    return Placement(device, images_per_pass, passes, overlaps=True, step_threads=threads - passes)


def choose_device(wish: str) -> torch.device:
    """Turn `auto`, `cpu` or `cuda` into a device; raises InputError where CUDA is asked for and absent."""
    if wish == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is available here; allowed: auto, cpu")
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wish)
