from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

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


@pytest.mark.parametrize("channels", [1, 3])
def test_a_reduced_jpeg_is_smaller_and_comes_back_at_its_size(channels):
    image = np.random.default_rng(0).integers(0, 256, (24, 17, channels), dtype=np.uint8)
    half = Jpeg(quality=95, scale=0.5)
    with Image.open(BytesIO(half.encode(image))) as sent:
        assert sent.size == (8, 12)  # width 17 x 0.5 is 8.5, rounded to even
    assert len(half.encode(image)) < len(Jpeg(quality=95).encode(image))
    decoded = half.decode(half.encode(image), image.shape)
    assert (decoded.shape, decoded.dtype) == (image.shape, np.uint8)


def test_a_smooth_image_hardly_suffers_from_being_reduced():
    image = smooth(1)
    decoded = Jpeg(quality=95, scale=0.5).decode(Jpeg(quality=95, scale=0.5).encode(image), image.shape)
    assert abs(decoded.astype(int) - image).mean() < 3


def test_reducing_smooths_out_what_the_smaller_image_cannot_show():
    """Antialiasing: a chessboard of single pixels becomes grey, not black or white."""
    chessboard = (np.indices((16, 16)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    decoded = Jpeg(quality=95, scale=0.5).decode(Jpeg(quality=95, scale=0.5).encode(chessboard), (16, 16, 1))
    assert abs(decoded.astype(int) - 127.5).max() < 30


def test_the_smallest_image_has_a_pixel():
    assert Jpeg(scale=0.01).decode(Jpeg(scale=0.01).encode(smooth(3)), (24, 16, 3)).shape == (24, 16, 3)
