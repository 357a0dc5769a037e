"""Reading checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.errors import InputError

SHOWN = 12
"""Keys that an error names; of a checkpoint of another model none fits."""


def read(path: Path) -> dict[str, Tensor]:
    """Read a state dictionary from a safetensors or weights-only torch file; InputError where it is neither."""
    try:
        content: Any
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file makes the unpickler raise has no bounds
        raise InputError(
            f"{path}: not a readable checkpoint (safetensors, or a torch file of weights only): {error}"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise InputError(f"{path}: must hold named tensors (or a `state_dict` of them)")
    return content


def read_into(network: nn.Module, path: Path) -> None:
    """Load a checkpoint into `network`; InputError lists the missing, unexpected and ill-shaped keys.

    Counts of batches may be missing: older checkpoints have none, and no forward pass depends on them.
    """
    weights, expected = read(path), network.state_dict()
    if not weights.keys() & expected.keys():  # saved from inside a wrapper such as DataParallel
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
    counts = {key: value for key, value in expected.items() if key.endswith(".num_batches_tracked")}
    weights = counts | weights
    problems = [
        *(f"missing {key}" for key in expected if key not in weights),
        *(f"unexpected {key}" for key in weights if key not in expected),
        *(
            f"{key} is {tuple(weights[key].shape)} where the model has {tuple(value.shape)}"
            for key, value in expected.items()
            if key in weights and weights[key].shape != value.shape
        ),
    ]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError(
            f"{path}: the checkpoint does not fit the model: {'; '.join(problems[:SHOWN])}{more}"
        )
    network.load_state_dict(weights)
