"""Model cards: what a packaged model is, how it was made, and how accurate it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models import corruptions
from models.datasets.packaged import Packaged
from models.images import Preparation, prepare
from models.networks import ResidualNetwork
from models.sources import _weights

SEVERITIES = (1, 3, 5)
CORRUPTED_IMAGES = 2000
"""Test images, the first ones, under each corruption and severity."""


def write_card(
    facts: dict[str, Any], name: str, seed: int, folder: Path, progress: Callable[[float, float, str], None]
) -> None:
    """Measure the model in `folder/<name>.safetensors` on the packaged test images and write its card.

    `<name>.json` is the card as data (loading the packaged model reads the architecture from it), `<name>.md` the same
    to read.
    """
    weights = folder / f"{name}.safetensors"
    recipe = facts["recipe"]
    network = ResidualNetwork(
        recipe["channels"], recipe["blocks"], facts["num_classes"], channels_in=len(facts["mean"])
    )
    _weights.read_into(network, weights)
    network.eval()
    card = {
        "name": name,
        **facts,
        "channels": recipe["channels"],
        "blocks": recipe["blocks"],
        "seed": seed,
        "torch": version("torch").split("+")[0],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        **_measure(network, facts, progress),
    }
    text = json.dumps(card, indent=2)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(_as_markdown(card), encoding="utf-8")


def _measure(
    network: nn.Module, facts: dict[str, Any], progress: Callable[[float, float, str], None]
) -> dict[str, Any]:
    data = Packaged(packaged="fashion-mnist").load()
    clean = _accuracy(network, data.images, data.labels, facts)
    images, labels = data.images[:CORRUPTED_IMAGES], data.labels[:CORRUPTED_IMAGES]
    measured: dict[str, dict[str, float]] = {}
    names = corruptions.names()
    for index, corruption in enumerate(names):
        measured[corruption] = {}
        for severity in SEVERITIES:
            generator = np.random.default_rng([index, severity])
            corrupted = corruptions.corrupt(images, corruption, severity, generator)
            measured[corruption][str(severity)] = _accuracy(network, corrupted, labels, facts)
        progress(index + 1, len(names), f"clean {clean:.1%}, {corruption} measured")
    return {"accuracy_clean": clean, "accuracy_corrupted": measured}


def _accuracy(
    network: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], facts: dict[str, Any]
) -> float:
    correct, preparation = 0, Preparation(tuple(facts["mean"]), tuple(facts["std"]))
    with torch.inference_mode():
        for start in range(0, len(images), 250):
            part = slice(start, start + 250)
            x = prepare(images[part], preparation, torch.device("cpu"))
            correct += int((network(x).argmax(1).numpy() == labels[part]).sum())
    return correct / len(images)


def mean_corrupted(card: dict[str, Any], severity: int) -> float:
    """Return the mean accuracy over the corruptions at one severity."""
    return float(np.mean([values[str(severity)] for values in card["accuracy_corrupted"].values()]))


def _as_markdown(card: dict[str, Any]) -> str:
    recipe = dict(card["recipe"])
    phases = "; then ".join(
        f"{phase['epochs']} x {phase['augmentation']} augmentation, peak learning rate {phase['learning_rate']}"
        for phase in recipe["phases"]
    )
    other = ", ".join(
        f"{key.replace('_', ' ')} {recipe[key]}"
        for key in ("batch_size", "momentum", "weight_decay", "threads")
    )
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{values[str(severity)]:.1%}" for severity in SEVERITIES) + " |"
        for name, values in card["accuracy_corrupted"].items()
    )
    means = " | ".join(f"{mean_corrupted(card, severity):.1%}" for severity in SEVERITIES)
    return f"""# {card["name"]}

- Data: {card["data"]}
- Architecture: residual network, stages of {card["channels"]} channels and {card["blocks"]} blocks,
  {card["parameters"]:,} parameters
- Recipe, in epochs: {phases}; {other}
- Seed {card["seed"]}, PyTorch {card["torch"]}
- Clean accuracy: {card["accuracy_clean"]:.2%} on the 10 000 test images
- Weights: SHA-256 `{card["sha256"]}`

Accuracy on the first {CORRUPTED_IMAGES:,} test images under each corruption, as deployed (source statistics). None of
the corruptions is part of the training augmentation.

| corruption | {" | ".join(f"severity {severity}" for severity in SEVERITIES)} |
|---|{"---|" * len(SEVERITIES)}
{rows}
| mean | {means} |
"""
