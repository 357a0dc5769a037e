"""The recipe of the packaged Fashion-MNIST models: a weak edge model and a robust foundation model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.pretraining import fashion_mnist_images as fashion_mnist
from models.networks import ResidualNetwork
from models.pretraining.training import Recipe, train

RECIPES = {
    "fashion-mnist-edge": Recipe((16, 32, 64), (1, 1, 1), augmentation="light", epochs=6),
    "fashion-mnist-foundation": Recipe((16, 64, 128), (1, 2, 2), augmentation="strong", epochs=12),
}


def build(name: str) -> ResidualNetwork:
    """Build the untrained network called `name`."""
    recipe = RECIPES[name]
    return ResidualNetwork(recipe.channels, recipe.blocks, num_classes=len(fashion_mnist.CLASSES))


def pretrain(
    name: str, seed: int, folder: Path, download_folder: Path, progress: Callable[[int, int, str], None]
) -> Path:
    """Train the model called `name`, write `folder/<name>.safetensors` and return its path.

    Raises TrainingDataMissingError where the training images cannot be found.
    """
    images, labels = fashion_mnist.training_split(download_folder)
    torch.manual_seed(seed)
    network = build(name)
    train(network, images, labels, fashion_mnist.MEAN, fashion_mnist.STD, RECIPES[name], seed, progress)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return path
