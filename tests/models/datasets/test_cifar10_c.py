import re

import numpy as np
import pytest

from models.datasets.cifar10_c import Cifar10C
from models.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 15, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([4, 0, 9])


@pytest.fixture
def folder(tmp_path):
    """Three images under fog and snow, and the archive of the clean ones."""
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    np.save(folder / "fog.npy", IMAGES[0])
    np.save(folder / "snow.npy", IMAGES[1])
    np.save(folder / "labels.npy", np.tile(LABELS, 5).astype(np.uint8))
    np.savez(tmp_path / "clean.npz", images=IMAGES[2, :3], labels=LABELS)
    return folder


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_severities_lie_one_after_another(folder, severity):
    data = Cifar10C(cifar10_c=folder).load()
    images, present = data.stored(("snow", severity)).read(np.array([2, 0]))
    start = 3 * (severity - 1)
    np.testing.assert_array_equal(images, IMAGES[1][[start + 2, start]])
    assert present.tolist() == [True, True]


def test_what_it_says_of_itself(folder):
    data = Cifar10C(cifar10_c=folder).load()
    assert (data.labels.tolist(), data.labels.dtype) == ([4, 0, 9], np.int64)
    assert (data.shape, data.classes, data.cropped) == ((32, 32, 3), None, True)
    assert len(data.conditions) == 10


def test_images_stay_on_disk(folder):
    assert isinstance(Cifar10C(cifar10_c=folder).load().stored(("fog", 2)).images, np.memmap)


def test_clean_images(folder):
    data = Cifar10C(cifar10_c=folder, clean=folder.parent / "clean.npz").load()
    np.testing.assert_array_equal(data.read(np.array([1]))[0], IMAGES[2, 1:2])
    assert data.damaged(np.arange(3)) == {}


def test_no_clean_images(folder):
    message = "CIFAR-10-C: has no clean images; name them in `clean`, or give each shift one of: fog, snow"
    with pytest.raises(InputError, match=re.escape(message)):
        Cifar10C(cifar10_c=folder).load().read(np.array([1]))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("fog", IMAGES[0][:12], "must be uint8 (15, 32, 32, 3), not uint8 (12, 32, 32, 3)"),
        ("fog", IMAGES[0] / 255, "must be uint8 (15, 32, 32, 3), not float64 (15, 32, 32, 3)"),
        ("labels", np.arange(4), "must be integers (5 N,), the labels of five severities, not int64 (4,)"),
        ("labels", np.zeros(15), "must be integers (5 N,), the labels of five severities, not float64 (15,)"),
        (
            "labels",
            np.zeros(0, int),
            "must be integers (5 N,), the labels of five severities, not int64 (0,)",
        ),
        ("labels", np.arange(15), "must hold the same labels, from 0, once for each of five severities"),
        (
            "labels",
            np.tile(LABELS - 1, 5),
            "must hold the same labels, from 0, once for each of five severities",
        ),
    ],
)
def test_arrays_that_do_not_fit(folder, name, array, message):
    np.save(folder / f"{name}.npy", array)
    with pytest.raises(InputError, match=re.escape(f"{folder / name}.npy: {message}")):
        Cifar10C(cifar10_c=folder).load()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_arrays(folder, content):
    (folder / "fog.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"fog\.npy: not a readable NumPy array \(\.npy\)"):
        Cifar10C(cifar10_c=folder).load()


def test_an_archive_in_place_of_an_array(folder):
    (folder.parent / "clean.npz").rename(folder / "fog.npy")
    with pytest.raises(InputError, match=r"fog\.npy: not a readable NumPy array \(\.npy\): it is an archive"):
        Cifar10C(cifar10_c=folder).load()


def test_missing_arrays(folder):
    (folder / "fog.npy").unlink()
    (folder / "snow.npy").unlink()
    with pytest.raises(InputError, match=r"CIFAR-10-C: holds no <corruption>\.npy, such as fog\.npy"):
        Cifar10C(cifar10_c=folder).load()
    (folder / "labels.npy").unlink()
    with pytest.raises(InputError, match=r"labels\.npy: no such file"):
        Cifar10C(cifar10_c=folder).load()


@pytest.mark.parametrize(
    ("images", "labels", "found"),
    [
        (IMAGES[2, :3], LABELS[::-1], "not 3 of shape (32, 32, 3) with other labels"),
        (IMAGES[2, :2], LABELS[:2], "not 2 of shape (32, 32, 3)"),
        (IMAGES[2, :3, :8], LABELS, "not 3 of shape (8, 32, 3)"),
    ],
)
def test_clean_images_that_do_not_fit(folder, images, labels, found):
    np.savez(folder.parent / "clean.npz", images=images, labels=labels)
    with pytest.raises(InputError, match=rf"clean\.npz: must hold the 3 images .*{re.escape(found)}$"):
        Cifar10C(cifar10_c=folder, clean=folder.parent / "clean.npz").load()
