"""The recipe of the packaged Fashion-MNIST models: a weak edge model and a robust foundation model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from models.networks import ResidualNetwork
from models.pretraining import fashion_mnist_images as files
from models.pretraining.training import Phase, Recipe, train

RECIPES = {
    "fashion-mnist-edge": Recipe(
        (16, 32, 64), (1, 1, 1), phases=(Phase("light", epochs=6, learning_rate=0.2),)
    ),
    "fashion-mnist-foundation": Recipe(
        (16, 64, 128),
        (1, 2, 2),
        # Robust first; then back to the clean images.
        phases=(
            Phase("strong", epochs=12, learning_rate=0.2),
            Phase("light", epochs=2, learning_rate=0.03),
            Phase("light", epochs=1, learning_rate=0.02),
        ),
    ),
}


def build(name: str) -> ResidualNetwork:
    """Build the untrained network called `name`."""
    recipe = RECIPES[name]
    return ResidualNetwork(recipe.channels, recipe.blocks, num_classes=len(files.CLASSES))


def describe(name: str) -> dict[str, Any]:
    """Return what a card says of the model called `name` before it is measured."""
    return {
        "data": "Fashion-MNIST, 60 000 training images, 28x28 grey (https://arxiv.org/abs/1708.07747, MIT)",
        "num_classes": len(files.CLASSES),
        "classes": files.CLASSES,
        "mean": [files.MEAN],
        "std": [files.STD],
        "recipe": RECIPES[name].describe(),
    }


def pretrain(name: str, seed: int, folder: Path, progress: Callable[[float, float, str], None]) -> Path:
    """Train the model called `name`, write `folder/<name>.safetensors` and return its path.

    Raises InputError where the training images cannot be found.
    """
    images, labels = files.training_split(folder / "downloads")
    torch.manual_seed(seed)
    network = build(name)
    train(network, images, labels, files.MEAN, files.STD, RECIPES[name], seed, progress)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return path
