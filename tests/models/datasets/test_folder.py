from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from models.datasets.folder import Folder
from models.errors import InputError

SAMPLE = Path(__file__).parents[4] / "shared" / "imagenet-sample"


@pytest.fixture
def tree(tmp_path, draw):
    """Classes dog and cat with images of several sizes."""
    for number, (name, size) in enumerate(
        {"dog/1.png": (20, 30), "dog/0.JPEG": (9, 9), "cat/a.png": (31, 16)}.items()
    ):
        draw(tmp_path / name, size, seed=number)
    return tmp_path


def test_it_reads_what_torchvision_reads(tree):
    data = Folder(folder=tree, size=8).load()
    other = ImageFolder(str(tree), Compose([Resize(8, InterpolationMode.BICUBIC), CenterCrop(8)]))
    images, present = data.read(np.arange(3))
    assert present.all()
    assert data.labels.tolist() == other.targets
    for image, (expected, _) in zip(images, other, strict=True):
        np.testing.assert_array_equal(image, np.asarray(expected))


def test_what_it_says_of_itself(tree):
    data = Folder(folder=tree).load()
    assert (data.shape, data.cropped, data.classes, data.labels.dtype) == (
        (256, 256, 3),
        False,
        None,
        np.int64,
    )


def test_classes_of_imagenet(tmp_path, draw):
    draw(tmp_path / "n02123045" / "a.png")
    draw(tmp_path / "n02099601" / "a.png")
    data = Folder(folder=tmp_path, classes="imagenet").load()
    assert (data.labels.tolist(), data.classes.tolist()) == ([0, 1], [207, 281])
    assert Folder(folder=tmp_path).load().classes is None


def test_classes_of_imagenet_need_its_names(tree):
    with pytest.raises(InputError, match=r"such as n01440764, but not: cat, dog$"):
        Folder(folder=tree, classes="imagenet").load()


@pytest.mark.parametrize("settings", [{"size": 0}, {"size": 8.5}, {"classes": "cifar"}])
def test_settings_out_of_range(tree, settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        Folder(folder=tree, **settings)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of ImageNet is not here")
def test_a_sample_of_imagenet():
    data = Folder(folder=SAMPLE, classes="imagenet").load()
    assert data.labels.tolist() == list(range(1000))
    assert data.classes is None
    images, present = data.read(np.array([0, 999]))
    assert (images.shape, present.tolist()) == ((2, 256, 256, 3), [True, True])
    assert images.std() > 10
