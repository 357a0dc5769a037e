import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.codecs.jpeg import Jpeg
from models.codecs.png import Png
from models.codecs.raw import Raw

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
IMAGES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape))


def smooth(channels):
    """A picture of slow gradients, 24 x 16."""
    y, x = np.mgrid[0:24, 0:16]
    return np.stack([40 + 5 * y + 3 * (c + 1) * x for c in range(channels)], -1).astype(np.uint8)


@settings(deadline=None)
@given(IMAGES, st.sampled_from([Raw(), Png(), Png(compression=0), Png(compression=9)]))
def test_lossless(image, codec):
    assert codec.lossless
    content = codec.encode(image)
    decoded = codec.decode(content, image.shape)
    assert isinstance(content, bytes)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(channels):
    image = smooth(channels)
    assert len(Raw().encode(image)) == 24 * 16 * channels
    assert 0 < len(Png(compression=9).encode(image)) < len(Png(compression=0).encode(image))
    assert 0 < len(Jpeg(quality=10).encode(image)) < len(Jpeg(quality=95).encode(image))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(channels):
    image = smooth(channels)
    assert not Jpeg().lossless
    decoded = Jpeg().decode(Jpeg().encode(image), image.shape)
    assert (decoded.shape, decoded.dtype) == (image.shape, np.uint8)
    assert abs(decoded.astype(int) - image).mean() < 3


def test_a_view_with_gaps_is_encoded_in_row_order():
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)[::2, ::-1]
    for codec in (Raw(), Png()):
        np.testing.assert_array_equal(codec.decode(codec.encode(image), image.shape), image)
