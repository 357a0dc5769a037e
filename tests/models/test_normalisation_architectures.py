"""Normalisation layers as real architectures have them, without weights and on small images."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, FrozenBatchNormAct2d, SplitBatchNorm2d
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.ops import FrozenBatchNorm2d

from models.errors import InputError
from models.normalisation import AdaptableModel, BatchRenormalisation, convert

CPU = torch.device("cpu")

ARCHITECTURES = {
    "resnet18": lambda: timm.create_model("resnet18", num_classes=5),
    "test_resnet": lambda: timm.create_model("test_resnet", num_classes=5),
    "tf_efficientnet_lite0": lambda: timm.create_model("tf_efficientnet_lite0", num_classes=5),
    "deit_tiny": lambda: timm.create_model("deit_tiny_patch16_224", num_classes=5, img_size=32),
    "convnext_atto": lambda: timm.create_model("convnext_atto", num_classes=5),
    "test_efficientnet_gn": lambda: timm.create_model("test_efficientnet_gn", num_classes=5),
    "test_efficientnet_ln": lambda: timm.create_model("test_efficientnet_ln", num_classes=5),
    "resnet with GroupNorm": lambda: timm.create_model("resnet18", norm_layer="groupnorm", num_classes=5),
    "poolformer": lambda: timm.create_model("poolformer_s12", num_classes=5),
    "shufflenet": lambda: models.shufflenet_v2_x0_5(num_classes=5),
    "mobilenet": lambda: models.mobilenet_v3_small(num_classes=5),
    "convnext of torchvision": lambda: ConvNeXt(
        [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5
    ),
}
BATCH = (nn.BatchNorm1d, nn.BatchNorm2d)
ANY = (*BATCH, nn.LayerNorm, nn.GroupNorm)


def varied(network):
    """Give every normalisation layer parameters and statistics of its own, so that a mix-up shows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, ANY):
                for key, tensor in layer.state_dict().items():
                    if key != "num_batches_tracked":
                        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return network.eval()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_adapts(name):
    torch.manual_seed(0)
    network = varied(ARCHITECTURES[name]())
    layers = [layer for layer in network.modules() if isinstance(layer, ANY)]
    affine = sum(parameter.numel() for layer in layers for parameter in layer.parameters(recurse=False))
    statistics = sum(2 * layer.num_features for layer in layers if isinstance(layer, BATCH))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = network(x)
        model = AdaptableModel(network, CPU)
        torch.testing.assert_close(model.network(x), expected, rtol=1e-5, atol=1e-5)

    assert (model.layout.affine_size, model.layout.size) == (affine, affine + statistics)
    model.network.train()
    model.network(x).square().sum().backward()
    still = [name for name, p in zip(model.layout.names, model.parameters, strict=False) if p.grad is None]
    assert still == []


@pytest.mark.parametrize(("name", "affine_kb", "all_kb"), [("resnet18", 38.4, 76.8), ("resnet50", 212, 425)])
def test_published_sizes_of_an_update(name, affine_kb, all_kb):
    """The bytes that the paper's networks send as float32, without and with running statistics."""
    with torch.device("meta"):
        network = timm.create_model(name)
    layout = AdaptableModel(network, torch.device("meta")).layout
    assert layout.affine_size * 4 / 1000 == pytest.approx(affine_kb, rel=0.005)
    assert layout.size * 4 / 1000 == pytest.approx(all_kb, rel=0.005)


def test_the_activation_inside_a_layer_stays():
    network = nn.Sequential(BatchNormAct2d(3, act_layer=nn.ReLU6, drop_layer=lambda: nn.Dropout(0.5)))
    x = 20 * torch.randn(2, 3, 4, 4)
    network.eval()
    expected = network(x)
    assert (expected.min(), expected.max()) == (0, 6)
    converted = convert(network)
    torch.testing.assert_close(converted(x), expected)
    assert [type(part) for part in converted[0]] == [BatchRenormalisation, nn.Dropout, nn.ReLU6]


def test_frozen_layers_stay_frozen():
    network = nn.Sequential(FrozenBatchNorm2d(3), FrozenBatchNormAct2d(3), nn.BatchNorm2d(3))
    model = AdaptableModel(network, CPU)
    assert [name.split(".")[0] for name in model.layout.names] == ["2"] * 4
    with pytest.raises(InputError, match="no normalisation layer"):
        AdaptableModel(nn.Sequential(FrozenBatchNorm2d(3)), CPU)


class Shifted(nn.BatchNorm2d):
    """A layer that computes something else under the name of batch normalisation."""

    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize("layer", [Shifted(3), SplitBatchNorm2d(3), nn.SyncBatchNorm(3), nn.BatchNorm3d(3)])
def test_kinds_that_cannot_be_adapted(layer):
    with pytest.raises(
        InputError, match=f"a layer of type {type(layer).__name__} cannot be adapted; allowed:"
    ):
        convert(nn.Sequential(layer))
