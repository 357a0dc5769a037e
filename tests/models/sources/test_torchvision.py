import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file
from torchvision import models

from models.errors import InputError
from models.images import prepare
from models.sources.torchvision import Torchvision

CPU = torch.device("cpu")
SMALL = "squeezenet1_1"


@pytest.fixture
def checkpoint(tmp_path):
    """Save the weights of a network and return them and their file."""

    def save(name=SMALL, **settings):
        state = models.get_model(name, **settings).state_dict()
        save_file(state, tmp_path / "weights.safetensors")
        return state, tmp_path / "weights.safetensors"

    return save


def described(name=SMALL, **given):
    return Torchvision.model_validate({"torchvision": name} | given)


@pytest.mark.parametrize("num_classes", [None, 7])
def test_a_checkpoint(checkpoint, num_classes):
    given = {} if num_classes is None else {"num_classes": num_classes}
    state, path = checkpoint(**given)
    model = described(checkpoint=str(path), **given).load()
    assert (model.num_classes, model.network.training) == (num_classes or 1000, False)
    assert all(torch.equal(model.network.state_dict()[key], value) for key, value in state.items())


def test_published_weights(monkeypatch):
    asked = []

    def get_model(name, *, weights):
        asked.append((name, weights))
        return torch.nn.Linear(2, 2)

    monkeypatch.setattr(models, "get_model", get_model)
    assert described(weights="IMAGENET1K_V1").load().num_classes == 1000
    assert described().load().num_classes == 1000
    assert asked == [(SMALL, models.SqueezeNet1_1_Weights.IMAGENET1K_V1)] * 2


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def get_model(_, *, weights):
        raise OSError("no route to host")

    monkeypatch.setattr(models, "get_model", get_model)
    with pytest.raises(InputError) as caught:
        described("resnet18").load()
    url = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    told = str(caught.value)
    assert told.startswith(
        "torchvision 'resnet18': the published weights are neither in torchvision's cache nor can"
    )
    assert f"(OSError: no route to host); give {url} as `checkpoint`, or put it into " in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "resnt18"}, "torchvision 'resnt18': there is no such model; did you mean resnet18 or "),
        ({"name": "fcn_resnet50"}, "torchvision 'fcn_resnet50': there is no such model; "),
        (
            {"name": "resnet50", "weights": "V3"},
            "no weights 'V3'; allowed: IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT",
        ),
        ({"name": "vgg16", "weights": "IMAGENET1K_FEATURES"}, "allowed: IMAGENET1K_V1, DEFAULT"),
        (
            {"num_classes": 3},
            "the published weights have 1000 classes, not 3; a `checkpoint` may have others",
        ),
    ],
)
def test_models_that_cannot_be(given, message):
    with pytest.raises(InputError) as caught:
        described(**given).load()
    assert message in str(caught.value)


def test_an_untrained_model():
    with pytest.raises(ValidationError, match="a `checkpoint` is needed where `weights` is null"):
        described(weights=None)


@pytest.mark.parametrize(
    ("name", "weights", "member"),
    [
        ("shufflenet_v2_x0_5", "DEFAULT", models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1),
        ("shufflenet_v2_x0_5", None, models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1),
        ("mobilenet_v2", "IMAGENET1K_V1", models.MobileNet_V2_Weights.IMAGENET1K_V1),
        ("mobilenet_v2", None, models.MobileNet_V2_Weights.IMAGENET1K_V2),
        ("efficientnet_b0", None, models.EfficientNet_B0_Weights.IMAGENET1K_V1),  # bicubic
    ],
)
def test_images_are_prepared_as_torchvision_does(checkpoint, name, weights, member):
    _, path = checkpoint(name)
    preparation = described(name, weights=weights, checkpoint=str(path)).load().preparation
    noise = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((330, 270), Image.Resampling.BILINEAR)
    expected = member.transforms()(image)
    actual = prepare(np.asarray(image)[None], preparation, CPU)[0]
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 2.01 / 255 / min(preparation.std)


def test_googlenet_is_as_published(checkpoint):
    """Plain logits in training mode too, and normalised input accepted."""
    _, path = checkpoint("googlenet", num_classes=3, init_weights=False)
    network = described("googlenet", num_classes=3, checkpoint=str(path)).load().network
    assert network.transform_input
    assert network.train()(torch.randn(2, 3, 64, 64)).shape == (2, 3)
    assert not any(name.startswith("aux") for name, _ in network.named_parameters())
