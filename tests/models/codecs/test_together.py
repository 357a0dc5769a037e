import threading

import numpy as np
import pytest
import torch

from models.codecs import _together
from models.codecs.png import Png


@pytest.fixture
def watched(monkeypatch):
    """The threads that encoded."""
    seen = set()
    encode = Png.encode

    def noted(self, image):
        seen.add(threading.current_thread().name)
        return encode(self, image)

    monkeypatch.setattr(Png, "encode", noted)
    return seen


def images(count, size):
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("threads", "count", "size", "apart"),
    [(2, 3, 64, True), (1, 3, 64, False), (2, 1, 64, False), (2, 3, 28, False)],
)
def test_large_images_are_encoded_in_threads(monkeypatch, watched, threads, count, size, apart):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found = _together.encode(Png(), images(count, size))
    assert all(name.startswith("codecs") for name in watched) == apart
    assert found == [Png().encode(image) for image in images(count, size)]
    decoded = _together.decode(Png(), found, (size, size, 3))
    np.testing.assert_array_equal(decoded, images(count, size))


def test_nothing_to_encode():
    assert _together.encode(Png(), []) == []
    assert _together.decode(Png(), [], (64, 64, 3)) == []
