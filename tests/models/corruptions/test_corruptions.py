"""What holds for every corruption: shapes, types, seeds, severities and errors."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from models.corruptions import _severity, corrupt, names

PAPER = {
    *(
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
    ),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}
DETERMINISTIC = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
SHAPES = ((2, 28, 28, 1), (2, 32, 32, 3), (2, 96, 64, 3), (1, 5, 3, 1), (1, 9, 70, 3))


def pictures(shape: tuple[int, int, int, int], seed: int = 0) -> NDArray[np.uint8]:
    """Draw smooth bright and dark areas with edges and some fine texture."""
    generator = np.random.default_rng(seed)
    count, height, width, channels = shape
    rows = np.arange(height)[None, :, None, None] / height
    columns = np.arange(width)[None, None, :, None] / width
    waves = generator.uniform(2, 9, (2, count, 1, 1, channels))
    smooth = 0.5 + 0.25 * np.sin(waves[0] * rows + 1) + 0.25 * np.cos(waves[1] * columns)
    smooth = np.where((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1, 1 - smooth, smooth)
    textured = smooth + generator.normal(0, 0.05, shape)
    levels: NDArray[np.uint8] = (np.clip(textured, 0, 1) * 255).astype(np.uint8)
    return levels


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_names_are_those_of_the_paper_in_order() -> None:
    assert set(names()) == PAPER
    assert list(names()) == sorted(names())


def test_names_import_neither_numpy_nor_the_corruptions() -> None:
    code = (
        "import sys, models.corruptions as c; c.names(); "
        "assert not {'numpy', 'torch', 'PIL', 'models.corruptions.fog'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("name", names())
def test_shape_type_and_determinism(name: str, severity: int, shape: tuple[int, int, int, int]) -> None:
    images = pictures(shape)
    before = images.copy()
    first = corrupt(images, name, severity, np.random.default_rng(3))
    assert first.shape == shape
    assert first.dtype == np.uint8
    assert np.array_equal(images, before)
    assert np.array_equal(first, corrupt(images, name, severity, np.random.default_rng(3)))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 7, 3), (2, 2, 2, 3)], ids=str)
@pytest.mark.parametrize("name", names())
def test_tiny_images(name: str, shape: tuple[int, int, int, int]) -> None:
    for severity in (1, 2, 3, 4, 5):
        assert corrupt(pictures(shape), name, severity, np.random.default_rng(0)).shape == shape


@pytest.mark.parametrize("name", names())
def test_an_empty_batch_stays_empty(name: str) -> None:
    empty = np.zeros((0, 28, 28, 1), np.uint8)
    assert corrupt(empty, name, 1, np.random.default_rng(0)).shape == empty.shape


@pytest.mark.parametrize("name", names())
def test_seeds_and_images_of_a_batch_differ_just_if_random(name: str) -> None:
    images = np.repeat(pictures((1, 32, 32, 3)), 3, axis=0)
    one, other = (corrupt(images, name, 3, np.random.default_rng(seed)) for seed in (1, 2))
    assert np.array_equal(one, other) == (name in DETERMINISTIC)
    assert np.array_equal(one[0], one[1]) == (name in DETERMINISTIC)
    assert np.array_equal(one[1], one[2]) == (name in DETERMINISTIC)


@pytest.mark.parametrize("name", sorted(DETERMINISTIC))
def test_deterministic_ones_leave_the_generator_alone_and_treat_images_separately(name: str) -> None:
    images = pictures((4, 30, 26, 3))
    generator = np.random.default_rng(1)
    together = corrupt(images, name, 4, generator)
    assert generator.bit_generator.state == np.random.default_rng(1).bit_generator.state
    order = [2, 0, 3, 1]
    assert np.array_equal(corrupt(images[order], name, 4, generator), together[order])
    assert np.array_equal(corrupt(images[1:2], name, 4, generator), together[1:2])


@pytest.mark.parametrize("shape", [(16, 32, 32, 3), (16, 28, 28, 1), (3, 96, 80, 3)], ids=str)
@pytest.mark.parametrize("name", names())
def test_distortion_grows_with_severity(name: str, shape: tuple[int, int, int, int]) -> None:
    images = pictures(shape)
    mild, strong = (distance(corrupt(images, name, s, np.random.default_rng(5)), images) for s in (1, 5))
    assert mild > 0.1
    # The elastic transform moves less, but more finely, at high severities: so the published constants.
    if name != "elastic_transform":
        assert strong > mild


@pytest.mark.parametrize("name", sorted(PAPER - {"contrast", "fog", "jpeg_compression"}))
def test_a_grey_image_stays_close_to_grey_in_colour(name: str) -> None:
    grey = pictures((8, 32, 32, 1))
    one = corrupt(grey, name, 3, np.random.default_rng(1))
    three = corrupt(np.repeat(grey, 3, axis=3), name, 3, np.random.default_rng(1))
    assert abs(distance(one, grey) - distance(three, np.repeat(grey, 3, axis=3))) < 4


@pytest.mark.parametrize(
    "name", ["defocus_blur", "zoom_blur", "motion_blur", "pixelate", "contrast", "glass_blur"]
)
def test_a_uniform_image_keeps_its_level(name: str) -> None:
    levels = np.array([0, 1, 128, 200, 254, 255], np.uint8)
    for side in (28, 70):
        images = np.broadcast_to(levels[:, None, None, None], (6, side, side, 1)).copy()
        # The two widest disks of the published defocus blur brighten by one per cent.
        for severity in (1, 2, 3) if name == "defocus_blur" else (1, 2, 3, 4, 5):
            assert np.array_equal(corrupt(images, name, severity, np.random.default_rng(0)), images)


def test_small_constants_reach_up_to_64_pixels() -> None:
    small, large = tuple("abcde"), tuple("ABCDE")
    for shape, expected in (((64, 64), "c"), ((1, 64), "c"), ((65, 64), "C"), ((10, 65), "C")):
        assert _severity.pick(np.zeros((1, *shape, 3), np.float32), 3, small, large) == expected


def test_the_noise_switches_at_64_pixels() -> None:
    spread = [
        corrupt(
            np.full((1, side, side, 1), 127, np.uint8), "gaussian_noise", 5, np.random.default_rng(0)
        ).std()
        / 255
        for side in (64, 65)
    ]
    assert spread[0] == pytest.approx(0.10, rel=0.05)
    assert spread[1] == pytest.approx(0.318, rel=0.05)  # 0.38, less what is clipped


@pytest.mark.parametrize("name", ["fogg", "clean", "none", "_levels", "Fog"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r}.*gaussian_noise"):
        corrupt(np.zeros((1, 8, 8, 1), np.uint8), name, 1, np.random.default_rng(0))


@pytest.mark.parametrize("severity", [0, 6, -1, 1.5])
def test_severities_outside(severity: int) -> None:
    with pytest.raises(ValueError, match=rf"{severity}.*1, 2, 3, 4, 5"):
        corrupt(np.zeros((1, 8, 8, 1), np.uint8), "fog", severity, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8, 1), np.float32), "uint8, not float32"),
        ([[1, 2]], "uint8, not list"),
        (np.zeros((8, 8, 1), np.uint8), r"not \(8, 8, 1\)"),
        (np.zeros((1, 8, 8, 2), np.uint8), r"1 or 3\).*not \(1, 8, 8, 2\)"),
        (np.zeros((1, 0, 8, 3), np.uint8), "H, W >= 1"),
    ],
)
def test_wrong_images(images: NDArray[np.uint8], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        corrupt(images, "fog", 1, np.random.default_rng(0))
