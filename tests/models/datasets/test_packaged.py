import numpy as np

from models.datasets.packaged import Packaged


def test_fashion_mnist():
    data = Packaged(packaged="fashion-mnist").load()
    assert (data.images.shape, data.images.dtype) == ((10_000, 28, 28, 1), np.uint8)
    assert np.bincount(data.labels).tolist() == [1000] * 10
