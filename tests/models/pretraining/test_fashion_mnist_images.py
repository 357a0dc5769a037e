import gzip

import numpy as np
import pytest

from models.errors import InputError
from models.pretraining import fashion_mnist_images as files


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes())


def test_reads_a_split(tmp_path):
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(idx(images))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.array([2, 0, 1], np.uint8)))
    read, labels = files.read_split(tmp_path, "test")
    assert np.array_equal(read, images[..., None])
    assert labels.dtype == np.int64
    assert labels.tolist() == [2, 0, 1]


def test_refuses_other_files(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01" + bytes(8)))
    with pytest.raises(ValueError, match="not an IDX file of unsigned bytes"):
        files.read_idx(path)


def test_says_where_the_training_images_could_be(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no network")

    monkeypatch.setattr(files, "DEBIAN_FOLDER", tmp_path / "absent")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", refuse)
    with pytest.raises(InputError, match=r"no network.*Install the Debian package dataset-fashion-mnist"):
        files.training_split(tmp_path)
