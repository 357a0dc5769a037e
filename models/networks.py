"""Small residual networks for small images: the architecture of the packaged models."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm and a shortcut (He et al., https://arxiv.org/abs/1512.03385)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.convolution2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map float (N, C_in, H, W) to float (N, C_out, H / stride, W / stride)."""
        y = torch.relu(self.norm1(self.convolution1(x)))
        return torch.relu(self.norm2(self.convolution2(y)) + self.shortcut(x))


class ResidualNetwork(nn.Module):
    """A residual classifier: one stage per entry of `channels`, every stage but the first halves the image.

    Args:
        channels: width of each stage.
        blocks: number of residual blocks in each stage.
        num_classes: number of classes, the size of the logits.
        channels_in: channels of the input image, 1 or 3.

    """

    def __init__(
        self, channels: Sequence[int], blocks: Sequence[int], num_classes: int, channels_in: int = 1
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, channels[0], 3, 1, 1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        width = channels[0]
        stages: list[nn.Module] = []
        for stage, (channels_out, count) in enumerate(zip(channels, blocks, strict=True)):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(ResidualBlock(width, channels_out, stride))
                width = channels_out
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map float (N, channels_in, H, W) to logits, float (N, num_classes)."""
        features = self.stages(self.stem(x)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits
