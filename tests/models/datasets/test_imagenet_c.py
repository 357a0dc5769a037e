import re
import shutil

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from models.datasets.imagenet_c import ImageNetC
from models.errors import InputError

NAMES = ("n02099601/val_2.JPEG", "n02123045/val_1.JPEG", "n02123045/val_3.JPEG")
CONDITIONS = (("fog", 1), ("fog", 5), ("snow", 3))


@pytest.fixture
def tree(tmp_path, draw):
    """Three 12 x 12 images under each of three conditions, beside photographs of other sizes, one more among them."""
    for seed, (corruption, severity) in enumerate(CONDITIONS):
        for number, name in enumerate(NAMES):
            draw(tmp_path / "c" / corruption / str(severity) / name, seed=10 * seed + number)
    for number, name in enumerate((*NAMES, "n01440764/val_4.JPEG")):
        draw(tmp_path / "clean" / name, size=(20 + number, 30), seed=100 + number)
    return tmp_path


def stored_pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_an_index_is_the_same_picture_under_each_condition(tree):
    data = ImageNetC(imagenet_c=tree / "c").load()
    for corruption, severity in CONDITIONS:
        images, present = data.stored((corruption, severity)).read(np.array([2, 0]))
        assert present.all()
        place = tree / "c" / corruption / str(severity)
        np.testing.assert_array_equal(images[0], stored_pixels(place / NAMES[2]))
        np.testing.assert_array_equal(images[1], stored_pixels(place / NAMES[0]))


def test_what_it_says_of_itself(tree):
    data = ImageNetC(imagenet_c=tree / "c").load()
    assert (data.labels.tolist(), data.classes.tolist()) == ([0, 1, 1], [207, 281])
    assert (data.shape, data.cropped, data.conditions) == ((12, 12, 3), True, CONDITIONS)
    under = data.stored(("fog", 5))
    assert (under.labels.tolist(), under.shape, under.cropped) == ([0, 1, 1], (12, 12, 3), True)


def test_clean_images_are_prepared_as_the_originals_were(tree):
    data = ImageNetC(imagenet_c=tree / "c", clean=tree / "clean").load()
    images, _ = data.read(np.arange(3))
    prepared = Compose([Resize(14), CenterCrop(12)])  # 256 and 224 for images of 224 pixels
    for image, name in zip(images, NAMES, strict=True):
        photograph = Image.open(tree / "clean" / name).convert("RGB")
        np.testing.assert_array_equal(image, np.asarray(prepared(photograph)))


def test_a_damaged_file_is_told_under_its_condition(tree):
    path = tree / "c" / "fog" / "5" / NAMES[1]
    path.write_bytes(b"")
    data = ImageNetC(imagenet_c=tree / "c").load()
    assert data.stored(("fog", 1)).read(np.arange(3))[1].tolist() == [True, True, True]
    assert data.stored(("fog", 5)).read(np.arange(3))[1].tolist() == [True, False, True]
    assert list(data.stored(("fog", 5)).damaged(np.arange(3))) == [str(path)]
    assert data.stored(("fog", 1)).damaged(np.arange(3)) == {}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("none", 0), "has no clean images; name them in `clean`, or give each shift one of: fog, snow"),
        (("fog", 3), "has no fog of severity 3, only of: 1, 5"),
        (("frost", 1), "has no frost, only: fog, snow"),
    ],
)
def test_conditions_there_are_not(tree, condition, message):
    data = ImageNetC(imagenet_c=tree / "c").load()
    with pytest.raises(InputError, match=re.escape(f"{tree / 'c'}: {message}")):
        data.stored(condition)


def test_a_condition_with_other_images(tree, draw):
    place = tree / "c" / "snow" / "3"
    (place / NAMES[2]).rename(place / "n02123045" / "val_9.JPEG")
    data = ImageNetC(imagenet_c=tree / "c").load()
    message = (
        f"{place}: lacks {NAMES[2]} and has also n02123045/val_9.JPEG, unlike {tree / 'c' / 'fog' / '1'}; "
    )
    with pytest.raises(InputError, match=re.escape(message)):
        data.stored(("snow", 3))
    shutil.rmtree(place / "n02123045")
    with pytest.raises(InputError, match=re.escape(f"{place}: has no folder n02123045, but ")):
        data.stored(("snow", 3))
    draw(place / "n01440764" / "val_1.JPEG")
    draw(place / "n02123045" / "val_1.JPEG")
    draw(place / "n02123045" / "val_3.JPEG")
    with pytest.raises(InputError, match=r"3: has also n01440764/val_1\.JPEG, unlike"):
        data.stored(("snow", 3))


def test_clean_images_that_are_missing(tree):
    (tree / "clean" / NAMES[0]).rename(tree / "clean" / "n02099601" / "other.JPEG")
    data = ImageNetC(imagenet_c=tree / "c", clean=tree / "clean").load()
    with pytest.raises(InputError, match=re.escape(f"{tree / 'clean'}: lacks {NAMES[0]}, unlike ")):
        data.read(np.arange(3))


def test_folders_of_another_kind(tree):
    with pytest.raises(
        InputError, match=r"severities from 1 to 5, such as fog/3/n01440764, but has the folders: n01"
    ):
        ImageNetC(imagenet_c=tree / "clean").load()
    with pytest.raises(InputError, match=r"but has the folders: none$"):
        ImageNetC(imagenet_c=tree / "clean" / "n01440764").load()


def test_class_folders_of_another_data_set(tree):
    for corruption, severity in CONDITIONS:
        place = tree / "c" / corruption / str(severity)
        (place / "n02099601").rename(place / "dog")
    with pytest.raises(InputError, match=r"fog/1: every sub-folder must be named by .*, but not: dog$"):
        ImageNetC(imagenet_c=tree / "c").load()


def test_images_that_are_not_square(tree, draw):
    draw(tree / "c" / "fog" / "1" / NAMES[0], size=(12, 9))
    with pytest.raises(InputError, match=r"fog/1: its images must be square, not 12 x 9 pixels"):
        ImageNetC(imagenet_c=tree / "c").load()
