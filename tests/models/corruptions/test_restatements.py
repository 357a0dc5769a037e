"""Each corruption against a plain restatement of its published formula, pixel by pixel, on small images.

Random numbers are drawn from a generator with the same seed in the same order. The sizes lie on both sides of 64
pixels, so both sets of constants are covered. Everything is compared before the fraction is cut off, in levels.
"""

import colorsys
import importlib
import io
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.corruptions import _levels, elastic_transform, frost, glass_blur

Array = NDArray[np.float64]
Position = Callable[[int, int], int]
SEED = 11
SMALL_SHAPE, LARGE_SHAPE = (2, 14, 19, 3), (1, 15, 66, 3)
SIZES = pytest.mark.parametrize("shape", [SMALL_SHAPE, LARGE_SHAPE, (1, 22, 18, 1)], ids=str)
SEVERITIES = pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])


def pictures(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    generator = np.random.default_rng(7)
    coarse = generator.integers(0, 256, (shape[0], 6, 6, shape[3]))
    levels = coarse[:, np.arange(shape[1]) * 6 // shape[1]][:, :, np.arange(shape[2]) * 6 // shape[2]]
    return np.clip(levels + generator.normal(0, 10, shape), 0, 255).astype(np.uint8)


def applied(name: str, images: NDArray[np.uint8], severity: int) -> NDArray[np.float32]:
    module = importlib.import_module(f"models.corruptions.{name}")
    result = module.apply(_levels.to_floats(images), severity, np.random.default_rng(SEED))
    assert result.dtype == np.float32
    levels: NDArray[np.float32] = np.clip(result, 0, 1) * np.float32(255)
    return levels


def constant(name: str, images: NDArray[np.uint8], severity: int) -> tuple[float, ...]:
    module = importlib.import_module(f"models.corruptions.{name}")
    picked = (module.SMALL if max(images.shape[1:3]) <= 64 else module.LARGE)[severity - 1]
    return picked if isinstance(picked, tuple) else (picked,)


def same(actual: NDArray[np.float32], expected: Array, tolerance: float = 0.01) -> None:
    assert np.abs(actual - np.clip(expected, 0, 1) * 255).max() <= tolerance


# Borders, one position at a time.
def mirrored(position: int, length: int) -> int:
    while not 0 <= position < length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position


def mirrored_at_edge(position: int, length: int) -> int:
    while not 0 <= position < length:
        position = -position - 1 if position < 0 else 2 * length - 1 - position
    return position


def clamped(position: int, length: int) -> int:
    return min(max(position, 0), length - 1)


def bilinear(image: Array, row: float, column: float, border: Position) -> Array:
    top, left = math.floor(row), math.floor(column)
    total = np.zeros(image.shape[2])
    for down in (0, 1):
        for across in (0, 1):
            weight = (row - top if down else 1 - row + top) * (column - left if across else 1 - column + left)
            total += weight * image[border(top + down, image.shape[0]), border(left + across, image.shape[1])]
    return total


def gaussian_blur(image: Array, sigma: float, truncate: float, border: Position) -> Array:
    radius = int(truncate * sigma + 0.5)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) if k else 1.0 for k in range(-radius, radius + 1)]
    for axis in (0, 1):
        length = image.shape[axis]
        total = np.zeros_like(image)
        for weight, offset in zip(weights, range(-radius, radius + 1), strict=True):
            positions = [border(position + offset, length) for position in range(length)]
            total += weight / sum(weights) * np.take(image, positions, axis=axis)
        image = total
    return image


def smear(image: Array, radius: float, sigma: float, angle: float) -> Array:
    height, width, _ = image.shape
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(2 * math.ceil(radius) + 1)]
    total = np.zeros_like(image)
    for distance, weight in enumerate(weights):
        across = math.ceil(distance * math.cos(math.radians(angle)) - 0.5)
        down = math.ceil(distance * math.sin(math.radians(angle)) - 0.5)
        rows = [clamped(row + down, height) for row in range(height)]
        columns = [clamped(column + across, width) for column in range(width)]
        total += weight / sum(weights) * image[rows][:, columns]
    return np.round(total * 255) / 255


def magnify(image: Array, factor: float) -> Array:
    for axis in (0, 1):
        length = image.shape[axis]
        kept = math.ceil(length / factor)
        first = (length - kept) // 2
        grown = round(kept * factor)
        places = np.linspace(first, first + kept - 1, grown)[(grown - length) // 2 :][:length]
        lines = np.moveaxis(image, axis, 0).reshape(length, -1)
        stretched = np.array([np.interp(places, np.arange(length), line) for line in lines.T]).T
        other = image.shape[1 - axis]
        image = np.moveaxis(stretched.reshape(length, other, -1), 0, axis)
    return image


@SIZES
@SEVERITIES
def test_gaussian_noise(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (deviation,) = constant("gaussian_noise", images, severity)
    noise = np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)
    same(applied("gaussian_noise", images, severity), images / 255 + deviation * noise)


@SIZES
@SEVERITIES
def test_shot_noise(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (photons,) = constant("shot_noise", images, severity)
    counts = np.random.default_rng(SEED).poisson(
        (images / np.float32(255)).astype(np.float32) * np.float32(photons)
    )
    same(applied("shot_noise", images, severity), counts / photons)


def test_shot_noise_has_the_moments_of_a_poisson_count() -> None:
    images = np.full((4, 60, 60, 1), 102, np.uint8)
    for severity, photons in enumerate((500, 250, 100, 75, 50), 1):
        values = applied("shot_noise", images, severity) / 255
        assert values.mean() == pytest.approx(0.4, abs=0.003)
        assert values.var() == pytest.approx(0.4 / photons, rel=0.06)


@SIZES
@SEVERITIES
def test_impulse_noise(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (amount,) = constant("impulse_noise", images, severity)
    generator = np.random.default_rng(SEED)
    chosen, colour = (generator.random(shape, dtype=np.float32) for _ in range(2))
    expected = images / 255
    for place in np.ndindex(shape):
        if chosen[place] < amount:
            expected[place] = 1.0 if colour[place] < 0.5 else 0.0
    same(applied("impulse_noise", images, severity), expected)


def test_impulse_noise_changes_the_published_share() -> None:
    images = np.full((8, 65, 65, 3), 100, np.uint8)
    for severity, amount in enumerate((0.03, 0.06, 0.09, 0.17, 0.27), 1):
        levels = applied("impulse_noise", images, severity)
        assert (levels == 0).mean() == pytest.approx(amount / 2, rel=0.05)
        assert (levels == 255).mean() == pytest.approx(amount / 2, rel=0.05)


@SIZES
@SEVERITIES
def test_defocus_blur(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    radius, softness = constant("defocus_blur", images, severity)
    reach, taps = (8, (-1, 0, 1)) if radius <= 8 else (int(radius), (-2, -1, 0, 1, 2))
    side = 2 * reach + 1
    inside = [[math.hypot(i - reach, j - reach) <= radius for j in range(side)] for i in range(side)]
    bell = np.array([math.exp(-(t**2) / (2 * softness**2)) for t in taps])
    kernel = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            for down, first in zip(taps, bell, strict=True):
                for across, second in zip(taps, bell, strict=True):
                    source = inside[mirrored(row + down, side)][mirrored(column + across, side)]
                    kernel[row, column] += first * second * source
    kernel /= bell.sum() ** 2 * np.sum(inside)
    _, height, width, _ = shape
    expected = np.zeros(shape)
    for down, across in np.ndindex(kernel.shape):
        rows = [mirrored(row + down - reach, height) for row in range(height)]
        columns = [mirrored(column + across - reach, width) for column in range(width)]
        expected += kernel[down, across] * (images / 255)[:, rows][:, :, columns]
    same(applied("defocus_blur", images, severity), expected, tolerance=0.05)


@pytest.mark.parametrize(("reach", "rounds"), [(1, 1), (1, 2), (2, 1), (2, 3), (4, 2)])
def test_glass_blur_visits_pixel_by_pixel(reach: int, rounds: int) -> None:
    count, height, width = 2, 13, 17
    sources = glass_blur.displaced(count, height, width, reach, rounds, np.random.default_rng(SEED))
    generator = np.random.default_rng(SEED)
    visits = [(h, w) for h in range(height - reach, reach, -1) for w in range(width - reach, reach, -1)]
    expected = np.tile(np.arange(height * width).reshape(1, height, width, 1), (count, 1, 1, 1))
    for _ in range(rounds):
        shifts = generator.integers(-reach, reach, (count, len(visits), 2))
        for image, moves in zip(expected, shifts, strict=True):
            for (h, w), (across, down) in zip(visits, moves, strict=True):
                # The swap of the original, on views of one array.
                image[h, w], image[h + down, w + across] = image[h + down, w + across], image[h, w]
    assert np.array_equal(sources, expected.reshape(count, -1))


@SIZES
@SEVERITIES
def test_glass_blur(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    sigma, reach, rounds = constant("glass_blur", images, severity)
    sources = glass_blur.displaced(*shape[:3], int(reach), int(rounds), np.random.default_rng(SEED))
    expected = []
    for image, source in zip(images / 255, sources, strict=True):
        blurred = np.floor(gaussian_blur(image, sigma, 4.0, clamped) * 255 + 1e-3) / 255
        moved = blurred.reshape(-1, shape[3])[source].reshape(shape[1:])
        expected.append(gaussian_blur(moved, sigma, 4.0, clamped))
    difference = np.abs(applied("glass_blur", images, severity) - np.array(expected) * 255)
    # The fraction of the blurred levels is cut off, so a level next to a whole one may differ by one.
    assert difference.max() < 1.01
    assert (difference > 0.01).mean() < 0.01


@SIZES
@SEVERITIES
def test_motion_blur(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    radius, sigma = constant("motion_blur", images, severity)
    angles = np.random.default_rng(SEED).uniform(-45, 45, shape[0])
    expected = [smear(image, radius, sigma, angle) for image, angle in zip(images / 255, angles, strict=True)]
    # Rounded to levels, so a sum next to a half may differ by one.
    difference = np.abs(applied("motion_blur", images, severity) - np.array(expected) * 255)
    assert difference.max() < 1.01
    assert (difference > 0.5).mean() < 0.002


@SIZES
@SEVERITIES
def test_zoom_blur(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures((1, *shape[1:]))
    factors = np.arange(1, *constant("zoom_blur", images, severity))
    image = images[0] / 255
    expected = sum((magnify(image, factor) for factor in factors), start=image) / (len(factors) + 1)
    same(applied("zoom_blur", images, severity), expected[None])


@SIZES
@SEVERITIES
def test_snow(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    mean, deviation, factor, threshold, radius, sigma, kept = constant("snow", images, severity)
    generator = np.random.default_rng(SEED)
    noise = generator.standard_normal((*shape[:3], 1), dtype=np.float32) * deviation + mean
    angles = generator.uniform(-135, -45, shape[0])
    expected = []
    for image, layer, angle in zip(images / 255, noise, angles, strict=True):
        flakes = magnify(layer, factor)
        flakes[flakes < threshold] = 0
        driven = smear(np.floor(np.clip(flakes, 0, 1) * 255) / 255, radius, sigma, angle)
        grey = image if shape[3] == 1 else (image @ [0.299, 0.587, 0.114])[..., None]
        mixed = kept * image + (1 - kept) * np.maximum(image, grey * 1.5 + 0.5)
        expected.append(mixed + driven + np.rot90(driven, 2))
    difference = np.abs(applied("snow", images, severity) - np.clip(expected, 0, 1) * 255)
    # A flake next to the threshold, or a level next to a half, may fall to the other side.
    assert (difference > 0.01).mean() < 0.01


@SIZES
@pytest.mark.parametrize("severity", [1, 5])
def test_fog(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    strength, decay = constant("fog", images, severity)
    side = 2 ** math.ceil(math.log2(max(shape[1:3])))
    maps = np.zeros((shape[0], side, side))
    generator = np.random.default_rng(SEED)
    step, wibble = side, 100.0

    def fill(rows: range, columns: range, neighbours: tuple[tuple[int, int], ...]) -> None:
        noise = generator.random((shape[0], len(rows), len(columns)), dtype=np.float32)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                around = [
                    maps[:, (row + down) % side, (column + across) % side] for down, across in neighbours
                ]
                maps[:, row, column] = sum(around) / 4 + wibble**2 * (2.0 * noise[:, i, j] - 1)

    while step >= 2:
        half = step // 2
        first, second = range(0, side, step), range(half, side, step)
        fill(second, second, ((-half, -half), (-half, half), (half, -half), (half, half)))
        cross = ((-half, 0), (half, 0), (0, -half), (0, half))
        fill(first, second, cross)
        fill(second, first, cross)
        step //= 2
        wibble /= decay
    expected = []
    for image, heights in zip(images / 255, maps, strict=True):
        cloud = (heights - heights.min()) / (heights.max() - heights.min())
        foggy = image + strength * cloud[: shape[1], : shape[2], None]
        expected.append(foggy * image.max() / (image.max() + strength))
    same(applied("fog", images, severity), np.array(expected))


@SIZES
@SEVERITIES
def test_frost_blends_a_texture_with_the_published_weights(
    shape: tuple[int, int, int, int], severity: int
) -> None:
    images = pictures(shape)
    kept, added = constant("frost", images, severity)
    scale = 5.0 if max(shape[1:3]) <= 64 else 1.0
    ice = frost.texture(*shape[:3], scale, np.random.default_rng(SEED))
    if shape[3] == 1:
        ice = (ice @ np.array([0.299, 0.587, 0.114]))[..., None]
    same(applied("frost", images, severity), kept * images / 255 + added * ice)


@pytest.mark.parametrize(("side", "scale"), [(32, 5.0), (80, 1.0)])
def test_frost_textures_have_the_colours_and_contrasts_of_the_photographs(side: int, scale: float) -> None:
    ice = frost.texture(80, side, side, scale, np.random.default_rng(0))
    assert ice.min() >= 0
    assert ice.max() <= 1
    photographs = np.array(frost.PHOTOGRAPHS)
    assert ice.mean(axis=(0, 1, 2)) == pytest.approx(photographs[:, :3].mean(axis=0), abs=0.05)
    grey = ice @ np.array([0.299, 0.587, 0.114])
    assert grey.std(axis=(1, 2)).mean() == pytest.approx(photographs[:, 4].mean(), rel=0.12)


@SIZES
@SEVERITIES
def test_brightness(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    images[:, :3, :3] = 0
    (amount,) = constant("brightness", images, severity)
    expected = np.repeat(images / 255, 3 // shape[3], axis=3)
    for place in np.ndindex(shape[:3]):
        hue, saturation, value = colorsys.rgb_to_hsv(*expected[place])
        expected[place] = colorsys.hsv_to_rgb(hue, saturation, min(value + amount, 1))
    same(applied("brightness", images, severity), expected[..., : shape[3]])


@SIZES
@SEVERITIES
def test_contrast(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (factor,) = constant("contrast", images, severity)
    means = (images / 255).mean(axis=(1, 2), keepdims=True)
    same(applied("contrast", images, severity), means + factor * (images / 255 - means))


@SIZES
@SEVERITIES
def test_elastic_transform(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    count, height, width, _ = shape
    side = min(height, width) * (1 if max(height, width) <= 64 else 244 / 224)
    strength, smoothness, move = (share * side for share in constant("elastic_transform", images, severity))
    generator = np.random.default_rng(SEED)
    centre, half = (height // 2, width // 2), min(height, width) // 3
    corners = np.add(centre, [(half, half), (half, -half), (-half, -half)]).astype(float)
    moves = generator.uniform(-move, move, (count, 3, 2))
    noise = (
        generator.uniform(-1, 1, (count, height, width, 2))
        if strength
        else np.zeros((count, height, width, 2))
    )
    expected = []
    for image, moved, field in zip(images / 255, corners + moves, noise, strict=True):
        forward = np.linalg.solve(np.column_stack([corners, np.ones(3)]), moved).T
        turn, shift = forward[:, :2], forward[:, 2]
        warped, shaken = np.zeros_like(image), np.zeros_like(image)
        blurred = strength * gaussian_blur(field, smoothness, 3.0, mirrored_at_edge)
        for row, column in np.ndindex(height, width):
            source_column, source_row = np.linalg.solve(turn, np.array([column, row]) - shift)
            warped[row, column] = bilinear(image, source_row, source_column, mirrored)
        for row, column in np.ndindex(height, width):
            across, down = blurred[row, column]
            shaken[row, column] = bilinear(warped, row + down, column + across, mirrored_at_edge)
        expected.append(shaken)
    # Positions in float32 are good to 0.00001 pixels, a step of one pixel can be 255 levels.
    same(applied("elastic_transform", images, severity), np.array(expected), tolerance=0.1)


def test_elastic_transform_has_the_published_constants_at_the_published_sizes() -> None:
    assert np.array(elastic_transform.LARGE) * 224 * elastic_transform.LARGE_SCALE == pytest.approx(
        np.array(
            [
                (488, 170.8, 24.4),
                (488, 19.52, 48.8),
                (12.2, 2.44, 4.88),
                (17.08, 2.44, 4.88),
                (29.28, 2.44, 4.88),
            ]
        )
    )


@SIZES
@SEVERITIES
def test_pixelate(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (share,) = constant("pixelate", images, severity)
    expected = []
    for image in images:
        picture = Image.fromarray(image.squeeze())
        shrunk = picture.resize((int(shape[2] * share), int(shape[1] * share)), Image.Resampling.BOX)
        grown = shrunk.resize((shape[2], shape[1]), Image.Resampling.BOX)
        expected.append(np.asarray(grown).reshape(shape[1:]))
    difference = np.abs(applied("pixelate", images, severity) - np.array(expected))
    assert difference.max() < 1.01  # the library works in fixed point: a half may be rounded the other way
    assert (difference > 0.5).mean() < 0.01


@SIZES
@SEVERITIES
def test_jpeg_compression(shape: tuple[int, int, int, int], severity: int) -> None:
    images = pictures(shape)
    (quality,) = constant("jpeg_compression", images, severity)
    expected = []
    for image in images:
        stored = io.BytesIO()
        Image.fromarray(image.squeeze()).save(stored, format="JPEG", quality=int(quality))
        expected.append(np.asarray(Image.open(stored)).reshape(shape[1:]))
    same(applied("jpeg_compression", images, severity), np.array(expected) / 255)
