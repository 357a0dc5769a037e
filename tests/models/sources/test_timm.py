import numpy as np
import pytest
import timm
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from models.errors import InputError
from models.images import prepare
from models.sources._timm import preparation_of
from models.sources.timm import Timm

CPU = torch.device("cpu")


@pytest.fixture
def checkpoint(tmp_path):
    """Save the weights of a small network and return them and their file."""

    def save(**settings):
        state = timm.create_model("test_vit", **settings).state_dict()
        save_file(state, tmp_path / "weights.safetensors")
        return state, tmp_path / "weights.safetensors"

    return save


@pytest.fixture
def downloads(monkeypatch):
    """Leave the network alone: a download gives an untrained network, or fails with the error set here."""
    create, error = timm.create_model, []

    def create_model(name, *, pretrained):
        assert pretrained
        if error:
            raise error[0]
        return create(name)

    monkeypatch.setattr(timm, "create_model", create_model)
    return error


@pytest.mark.parametrize("num_classes", [None, 7])
def test_a_checkpoint(checkpoint, num_classes):
    given = {} if num_classes is None else {"num_classes": num_classes}
    state, path = checkpoint(**given)
    model = Timm.model_validate({"timm": "test_vit.r160_in1k", "checkpoint": str(path)} | given).load()
    assert (model.num_classes, model.network.training) == (num_classes or 1000, False)
    assert all(torch.equal(model.network.state_dict()[key], value) for key, value in state.items())
    with torch.no_grad():
        assert model.network(torch.zeros(1, 3, 160, 160)).shape == (1, model.num_classes)


def test_a_checkpoint_of_other_classes(checkpoint):
    _, path = checkpoint(num_classes=7)
    with pytest.raises(InputError, match=r"head\.weight is \(7, 64\) where the model has \(1000, 64\)"):
        Timm.model_validate({"timm": "test_vit", "checkpoint": str(path)}).load()


@pytest.mark.parametrize("given", [{}, {"num_classes": 1000}])
@pytest.mark.usefixtures("downloads")
def test_published_weights(given):
    model = Timm(timm="test_vit", **given).load()
    assert (model.num_classes, model.network.training) == (1000, False)


def test_weights_that_cannot_be_downloaded(downloads):
    downloads.append(OSError("no route to host"))
    with pytest.raises(InputError) as caught:
        Timm(timm="test_vit").load()
    assert str(caught.value) == (
        "timm 'test_vit': the published weights are neither in timm's cache nor can they be downloaded (OSError: no "
        "route to host); give the file from https://huggingface.co/timm/test_vit.r160_in1k as `checkpoint`"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timm": "resnt18"}, "timm 'resnt18': there is no such model; did you mean resnet18 or "),
        ({"timm": "resnt18.a1_in1k"}, "there is no such model; did you mean resnet18 or "),
        ({"timm": "qqqqqqqq"}, "there is no such model; allowed: the names in timm.list_models()"),
        (
            {"timm": "test_vit.none"},
            "timm 'test_vit.none': there are no such weights; allowed: test_vit.r160_in1k",
        ),
        ({"timm": "resnet18", "num_classes": 3}, "have 1000 classes, not 3"),
        ({"timm": "vit_small_patch14_dinov2"}, "has no classifier as published; give `num_classes` and"),
        ({"timm": "regnetz_005"}, "timm 'regnetz_005': no weights are published; give a `checkpoint`"),
    ],
)
def test_models_that_cannot_be(given, message):
    with pytest.raises(InputError) as caught:
        Timm.model_validate(given).load()
    assert message in str(caught.value)


def test_an_untrained_model():
    with pytest.raises(ValidationError, match="a `checkpoint` is needed where `pretrained` is false"):
        Timm(timm="test_vit", pretrained=False)


@pytest.mark.parametrize("name", ["hf-hub:somebody/model", "local-dir:/tmp", "../model", ""])
def test_names_that_are_places(name):
    with pytest.raises(ValidationError):
        Timm(timm=name)


@pytest.mark.parametrize(
    "given", [{}, {"crop_mode": "squash", "crop_pct": 0.9}, {"interpolation": "bilinear"}]
)
def test_images_are_prepared_as_timm_does(given):
    network = timm.create_model("test_vit", pretrained_cfg_overlay=given)
    config = timm.data.resolve_model_data_config(network)
    noise = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((330, 210), Image.Resampling.BILINEAR)
    expected = timm.data.create_transform(**config)(image)
    actual = prepare(np.asarray(image)[None], preparation_of(network, "test_vit"), CPU)[0]
    assert actual.shape == expected.shape == (3, 160, 160)
    level = 1 / 255 / min(config["std"])
    assert (actual - expected).abs().max() <= 2.01 * level


@pytest.mark.parametrize(
    "given", [{"crop_mode": "border"}, {"interpolation": "lanczos"}, {"input_size": (3, 160, 192)}]
)
def test_preparations_that_are_not_known(given):
    network = timm.create_model("test_vit", pretrained_cfg_overlay=given, img_size=160)
    with pytest.raises(InputError, match=r"model of a test: expects 160 x .* allowed: a square, 'center' or"):
        preparation_of(network, "model of a test")
