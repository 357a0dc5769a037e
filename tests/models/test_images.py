import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.images import Preparation, prepare

CPU = torch.device("cpu")
PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


def pixels(x):
    """The pixel values behind prepared images of mean 0 and deviation 1, (N, H, W, C)."""
    return x.mul(255).round().permute(0, 2, 3, 1).int().numpy()


def raw(**size):
    return Preparation((0.0,) * 3, (1.0,) * 3, **size)


@pytest.fixture
def photographs():
    """Two smooth images of 30 x 44 pixels: of noise, one level more or less would tell nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 6, 9, 3), dtype=np.uint8)
    images = [Image.fromarray(image).resize((44, 30), Image.Resampling.BILINEAR) for image in noise]
    return np.stack([np.asarray(image) for image in images])


def resized(images, height, width, interpolation):
    """What Pillow makes of them."""
    method = PILLOW[interpolation]
    return np.stack([np.asarray(Image.fromarray(image).resize((width, height), method)) for image in images])


def assert_same(prepared, expected):
    assert prepared.shape == expected.shape
    assert np.abs(prepared - expected.astype(int)).max() <= 2  # both round in between


def test_pixels_are_normalised_by_mean_and_deviation_of_each_channel():
    images = np.zeros((2, 3, 4, 3), np.uint8)
    images[1, 2, 3] = (255, 51, 0)
    x = prepare(images, Preparation((0.5, 0.2, 0.0), (0.5, 0.1, 2.0)), CPU)
    assert (x.shape, x.dtype) == ((2, 3, 3, 4), torch.float32)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x[0, :, 0, 0].tolist() == pytest.approx([-1, -2, 0])
    assert x[1, :, 2, 3].tolist() == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("crop", [None, 2])
def test_the_images_are_copied(crop):
    images = np.full((1, 2, 2, 1), 7, np.uint8)
    images.flags.writeable = False
    prepare(images, Preparation((0.0,), (1.0,), crop=crop), CPU).zero_()
    assert (images == 7).all()


@pytest.mark.parametrize("interpolation", list(PILLOW))
@pytest.mark.parametrize(("resize", "width"), [(20, 29), (50, 73)])
def test_the_shorter_side_is_resized_and_the_centre_cut_out(photographs, interpolation, resize, width):
    x = prepare(photographs, raw(resize=resize, crop=16, interpolation=interpolation), CPU)
    top, left = (resize - 16) // 2, round((width - 16) / 2)
    expected = resized(photographs, resize, width, interpolation)[:, top : top + 16, left : left + 16]
    assert_same(pixels(x), expected)


@pytest.mark.parametrize("interpolation", list(PILLOW))
@pytest.mark.parametrize("crop", [16, 52])
def test_cropped_images_are_resized_whole(photographs, interpolation, crop):
    preparation = raw(resize=60, crop=crop, interpolation=interpolation).for_data(cropped=True)
    expected = resized(photographs, crop, crop, interpolation)
    assert_same(pixels(prepare(photographs, preparation, CPU)), expected)


def test_both_sides_can_be_resized(photographs):
    x = prepare(photographs, raw(resize=(20, 24), crop=16), CPU)
    assert_same(pixels(x), resized(photographs, 20, 24, "bicubic")[:, 2:18, 4:20])


def test_images_of_the_right_size_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    for cropped in (True, False):
        preparation = raw(resize=16, crop=16).for_data(cropped)
        np.testing.assert_array_equal(pixels(prepare(images, preparation, CPU)), images)


def test_data_that_are_not_cropped_are():
    preparation = raw(resize=20, crop=16, interpolation="nearest")
    assert preparation.for_data(cropped=False) == preparation
    assert raw().for_data(cropped=True) == raw()


sides = st.integers(1, 40)


@settings(max_examples=30)
@given(height=sides, width=sides, channels=st.sampled_from([1, 3]), crop=sides | st.none(), extra=sides)
def test_the_shape_is_as_foretold(height, width, channels, crop, extra):
    numbers = (0.5,) * channels
    resize = None if crop is None else crop + extra
    for preparation in (
        Preparation(numbers, numbers, resize, crop),
        Preparation(numbers, numbers, None, crop),
    ):
        x = prepare(np.zeros((2, height, width, channels), np.uint8), preparation, CPU)
        assert tuple(x.permute(0, 2, 3, 1).shape[1:]) == preparation.shape_of((height, width, channels))
