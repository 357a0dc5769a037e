"""The supervised training loop behind `cema pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.pretraining import augmentation


@dataclass(frozen=True)
class Recipe:
    """How one model is trained: SGD with Nesterov momentum under a one-cycle learning rate.

    Attributes:
        channels, blocks: width and number of residual blocks of each stage.
        augmentation: `light` or `strong`, see models.pretraining.augmentation.
        epochs: passes over the training images.
        learning_rate: the peak of the one-cycle schedule.
        threads: CPU threads; the arithmetic, and so the result, depends on it.

    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    augmentation: Literal["light", "strong"]
    epochs: int
    learning_rate: float = 0.2
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    threads: int = 1

    def describe(self) -> dict[str, Any]:
        """Return the recipe as plain values."""
        return asdict(self)


def train(
    network: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    mean: float,
    std: float,
    recipe: Recipe,
    seed: int,
    progress: Callable[[float, float, str], None],
) -> None:
    """Train `network` in place.

    Args:
        network: maps float (N, C, H, W), normalised by `mean` and `std`, to logits.
        images: uint8 (N, H, W, C).
        labels: int64 (N,).
        mean: of the pixel values in [0, 1].
        std: likewise.
        recipe: what to do.
        seed: seeds the order of the images and the augmentation; the caller seeds the initial weights.
        progress: called after each step with the steps done, the steps in all, and a short text.

    """
    torch.set_num_threads(recipe.threads)
    generator = torch.Generator().manual_seed(seed)
    augment = getattr(augmentation, recipe.augmentation)
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2)
    targets = torch.from_numpy(labels)
    network.to(memory_format=torch.channels_last)
    network.train()
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps_per_epoch = len(inputs) // recipe.batch_size
    steps = recipe.epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    loss_average = accuracy_average = float("nan")
    done = 0
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for batch in order[: steps_per_epoch * recipe.batch_size].reshape(-1, recipe.batch_size):
            x = augment(inputs[batch].float() / 255, generator)
            x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
            logits: Tensor = network(x)
            loss = F.cross_entropy(logits, targets[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            done += 1
            accuracy = (logits.argmax(1) == targets[batch]).float().mean().item()
            loss_average = loss.item() if done == 1 else 0.98 * loss_average + 0.02 * loss.item()
            accuracy_average = accuracy if done == 1 else 0.98 * accuracy_average + 0.02 * accuracy
            progress(
                done,
                steps,
                f"epoch {epoch + 1}/{recipe.epochs}, loss {loss_average:.3f}, "
                f"training accuracy {accuracy_average:.1%}",
            )
    network.eval()
