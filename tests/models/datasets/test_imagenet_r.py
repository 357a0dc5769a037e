import numpy as np
import pytest
from timm.data import ImageNetInfo

from models.datasets.imagenet_r import ImageNetR
from models.errors import InputError


def test_labels_and_classes_of_the_200(tmp_path):
    known = ImageNetInfo("imagenet-1k")
    chosen = range(3, 1000, 5)
    for index in reversed(chosen):
        (tmp_path / known.index_to_label_name(index)).mkdir()
        (tmp_path / known.index_to_label_name(index) / "art_0.jpg").touch()
    data = ImageNetR(imagenet_r=tmp_path).load()
    assert data.labels.tolist() == list(range(200))
    assert data.classes.tolist() == list(chosen)
    assert (data.shape, data.cropped) == ((256, 256, 3), False)


def test_images(tmp_path, draw):
    (tmp_path / "README.txt").touch()
    draw(tmp_path / "n01443537" / "art_0.jpg", (10, 14))
    images, present = ImageNetR(imagenet_r=tmp_path, size=10).load().read(np.array([0]))
    assert (images.shape, present.tolist()) == ((1, 10, 10, 3), [True])


def test_a_folder_that_is_no_class(tmp_path, draw):
    draw(tmp_path / "n01443537" / "art_0.jpg")
    draw(tmp_path / "goldfish" / "art_0.jpg")
    with pytest.raises(InputError, match=r"such as n01440764, but not: goldfish$"):
        ImageNetR(imagenet_r=tmp_path).load()
