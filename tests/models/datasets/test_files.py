import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from models.datasets import _files, _listing
from models.datasets._cache import ImageCache
from models.errors import InputError

RANDOM = np.random.default_rng(0)
FILTERS = {
    Image.Resampling.BICUBIC: InterpolationMode.BICUBIC,
    Image.Resampling.BILINEAR: InterpolationMode.BILINEAR,
}


def as_is(image):
    return image


@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    shorter=st.integers(8, 20),
    smaller=st.integers(0, 7),
    resampling=st.sampled_from(sorted(FILTERS)),
)
def test_the_centre_square_is_torchvisions(width, height, shorter, smaller, resampling):
    side = shorter - smaller
    image = Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8))
    found = _files.centre_square(image, side, shorter, resampling)
    if (width, height) == (side, side):
        assert found is image
    else:
        expected = CenterCrop(side)(Resize(shorter, FILTERS[resampling])(image))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_no_photograph_is_a_line():
    with pytest.raises(ValueError, match="505 x 5 pixels: one side is more than 100 times the other"):
        _files.centre_square(Image.new("RGB", (505, 5)), 4, 4, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("mode", "colour", "extension", "expected"),
    [
        ("L", 90, "png", (90, 90, 90)),
        ("1", 1, "png", (255, 255, 255)),
        ("P", 0, "png", (10, 20, 30)),
        ("LA", (90, 0), "png", (90, 90, 90)),
        ("RGBA", (10, 20, 30, 0), "png", (10, 20, 30)),
        ("I;16", 90 * 256 + 255, "png", (90, 90, 90)),
        ("CMYK", (255, 0, 0, 0), "jpeg", (0, 255, 255)),
        ("RGB", (10, 20, 30), "bmp", (10, 20, 30)),
        ("RGB", (10, 20, 30), "gif", (10, 20, 30)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, colour, extension, expected):
    image = Image.new(mode, (16, 16), colour)
    options = {}
    if mode == "P":
        image.putpalette([10, 20, 30])
        options["transparency"] = bytes([0])
    path = tmp_path / f"image.{extension}"
    image.save(path, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = _files.decode(str(path), as_is)
    assert (decoded.shape, decoded.dtype) == ((16, 16, 3), np.uint8)
    np.testing.assert_allclose(decoded.reshape(-1, 3), np.tile(expected, (256, 1)), atol=2)


def test_the_orientation_is_ignored(tmp_path):
    image = Image.new("RGB", (8, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    assert _files.decode(str(tmp_path / "a.jpg"), as_is).shape == (4, 8, 3)


@pytest.fixture
def files(tmp_path, draw):
    """A data set of five 12 x 12 images, of which the second is truncated, the third is text, the fourth too small."""
    for number in range(5):
        draw(tmp_path / "a" / f"{number}.png", size=(9, 12) if number == 3 else (12, 12), seed=number)
    (tmp_path / "a" / "1.png").write_bytes((tmp_path / "a" / "0.png").read_bytes()[:150])
    (tmp_path / "a" / "2.png").write_text("<html>")
    listing = _listing.find(tmp_path)
    fit = partial(_files.exactly, width=12, height=12)
    return _files.ImageFiles(tmp_path, listing.names, listing.labels, (12, 12, 3), fit)


def test_damaged_files_are_left_out_and_named(files, tmp_path, draw):
    images, present = files.read(np.array([4, 1, 0, 3, 2]))
    assert present.tolist() == [True, False, True, False, False]
    np.testing.assert_array_equal(images[0], draw(tmp_path / "same.png", seed=4))
    np.testing.assert_array_equal(images[1], draw(tmp_path / "same.png", seed=0))
    damaged = files.damaged(np.arange(5))
    assert list(damaged) == [str(tmp_path / "a" / f"{number}.png") for number in (1, 2, 3)]
    one, two, three = damaged.values()
    assert "truncated" in one
    assert "cannot identify" in two
    assert three == "9 x 12 pixels where 12 x 12 are needed"
    assert list(files.damaged(np.array([0, 3, 3]))) == [str(tmp_path / "a" / "3.png")]


def test_nothing_readable(files):
    images, present = files.read(np.array([1, 2]))
    assert (images.shape, images.dtype, present.tolist()) == ((0, 12, 12, 3), np.uint8, [False, False])


def test_a_file_deleted_meanwhile_is_a_damaged_one(files, tmp_path):
    (tmp_path / "a" / "0.png").unlink()
    assert files.read(np.array([0]))[1].tolist() == [False]
    assert "No such file" in files.damaged(np.array([0]))[str(tmp_path / "a" / "0.png")]


@pytest.mark.parametrize(("capacity", "decoded"), [(2**20, ["0", "4"]), (0, ["0", "4", "4", "0", "4"])])
def test_what_the_cache_holds_is_not_decoded_again(files, monkeypatch, capacity, decoded):
    opened = []
    files.cache = ImageCache(capacity)
    files.fit = lambda image: opened.append(image.getpixel((0, 0))) or image
    first, _ = files.read(np.array([0, 4, 4]))
    again, _ = files.read(np.array([0, 4]))
    np.testing.assert_array_equal(again, first[:2])
    assert len(opened) == len(decoded)


def test_what_is_read_may_be_written_to(files):
    images, _ = files.read(np.array([0]))
    before = images.copy()
    images[:] = 0
    np.testing.assert_array_equal(files.read(np.array([0]))[0], before)


def test_the_first_size_is_that_of_the_first_readable_file(files, tmp_path):
    assert _files.first_size(tmp_path, files.names[2:]) == (9, 12)
    with pytest.raises(InputError, match=r"none of its 1 image files can be read, such as a/2\.png"):
        _files.first_size(tmp_path, files.names[2:3])
