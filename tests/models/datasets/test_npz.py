import io
import re

import numpy as np
import pytest

from models.datasets.npz import Npz
from models.errors import InputError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)
LABELS = np.array([1, 0])


@pytest.fixture
def load(tmp_path):
    """Write a file and read it as a data set."""

    def load(content=None, **written):
        path = tmp_path / "images.npz"
        if content is None:
            np.savez(path, **written)
        else:
            path.write_bytes(content)
        return Npz(npz=path).load()

    return load


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_images_and_labels(load, dtype):
    data = load(images=IMAGES, labels=LABELS.astype(dtype), more=np.zeros(1))
    np.testing.assert_array_equal(data.images, IMAGES)
    assert (data.labels.tolist(), data.labels.dtype) == ([1, 0], np.int64)


def test_colour(load):
    assert load(images=np.zeros((2, 3, 4, 3), np.uint8), labels=LABELS).images.shape == (2, 3, 4, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "an array named 'images' and one named 'labels' are needed ('labels "),
        ({"labels": LABELS}, "an array named 'images' and one named 'labels' are needed ('images "),
        ({"images": IMAGES / 255, "labels": LABELS}, "with C = 1 or 3, not float64 (2, 3, 4, 1)"),
        ({"images": IMAGES[..., 0], "labels": LABELS}, "with C = 1 or 3, not uint8 (2, 3, 4)"),
        (
            {"images": IMAGES.transpose(0, 3, 1, 2), "labels": LABELS},
            "with C = 1 or 3, not uint8 (2, 1, 3, 4)",
        ),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "with C = 1 or 3, not uint8 (0, 3, 4, 1)"),
        (
            {"images": IMAGES, "labels": LABELS[:1]},
            "'labels' must be 2 integers from 0, one per image, not int64 (1,)",
        ),
        ({"images": IMAGES, "labels": LABELS / 1}, "one per image, not float64 (2,)"),
        ({"images": IMAGES, "labels": LABELS[:, None]}, "one per image, not int64 (2, 1)"),
        ({"images": IMAGES, "labels": LABELS - 1}, "'labels' must be 2 integers from 0"),
        ({"images": IMAGES, "labels": np.array([None, {}])}, "not a readable NumPy archive (.npz)"),
    ],
)
def test_arrays_that_do_not_fit(load, tmp_path, arrays, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load(**arrays)
    assert str(caught.value).startswith(f"{tmp_path / 'images.npz'}: ")


def single_array():
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    return buffer.getvalue()


def damaged():
    """An archive with a byte changed in the middle of its compressed data."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, images=np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)), labels=np.zeros(50)
    )
    content = bytearray(buffer.getvalue())
    content[300:320] = b"\xff" * 20
    return bytes(content)


@pytest.mark.parametrize("content", [b"", b"label,pixel\n", b"PK\x03\x04", single_array(), damaged()])
def test_files_that_are_no_archives(load, content):
    with pytest.raises(InputError, match=r"images\.npz: not a readable NumPy archive \(\.npz\)"):
        load(content)
