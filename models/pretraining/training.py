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
class Phase:
    """Some epochs of SGD with Nesterov momentum under a one-cycle learning rate.

    Attributes:
        augmentation: `light` or `strong`, see models.pretraining.augmentation.
        epochs: passes over the training images.
        learning_rate: the peak of the one-cycle schedule.

    """

    augmentation: Literal["light", "strong"]
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    Attributes:
        channels, blocks: width and number of residual blocks of each stage.
        phases: one after another; each starts with a fresh optimiser and random stream.
        threads: CPU threads; the arithmetic, and so the result, depends on it.

    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    phases: tuple[Phase, ...]
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
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2)
    network.to(memory_format=torch.channels_last)
    for number in range(len(recipe.phases)):
        train_phase(network, inputs, torch.from_numpy(labels), (mean, std), recipe, number, seed, progress)


def train_phase(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    moments: tuple[float, float],
    recipe: Recipe,
    number: int,
    seed: int,
    progress: Callable[[float, float, str], None],
) -> None:
    """Train `network` in place through phase `number` of the recipe; its stream is seeded by seed + number.

    Args:
        network: channels last.
        inputs: uint8 (N, C, H, W).
        targets: int64 (N,).
        moments: mean and deviation of the pixel values in [0, 1].
        recipe: what to do.
        number: of the phase, from 0.
        seed: of the whole training.
        progress: called after each step with the steps done, the steps in all phases, and a short text.

    """
    phase = recipe.phases[number]
    generator = torch.Generator().manual_seed(seed + number)
    augment = getattr(augmentation, phase.augmentation)
    mean, std = moments
    network.train()
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=phase.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps_per_epoch = len(inputs) // recipe.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, phase.learning_rate, total_steps=phase.epochs * steps_per_epoch
    )
    total = steps_per_epoch * sum(each.epochs for each in recipe.phases)
    done = steps_per_epoch * sum(each.epochs for each in recipe.phases[:number])
    loss_average = accuracy_average = None
    for epoch in range(phase.epochs):
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
            loss_average = _moving(loss_average, loss.item())
            accuracy_average = _moving(accuracy_average, accuracy)
            progress(
                done,
                total,
                f"phase {number + 1}/{len(recipe.phases)}, epoch {epoch + 1}/{phase.epochs}, "
                f"loss {loss_average:.3f}, training accuracy {accuracy_average:.1%}",
            )
    network.eval()


def _moving(average: float | None, value: float) -> float:
    return value if average is None else 0.98 * average + 0.02 * value
