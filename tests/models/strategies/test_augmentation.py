import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from models.images import Preparation
from models.strategies._augmentation import Augmentation

GREY = Preparation((0.4,), (0.3,))
COLOUR = Preparation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
KINDS = pytest.mark.parametrize("preparation", [GREY, COLOUR], ids=["grey", "colour"])


def values(preparation):
    return (torch.tensor(value).view(1, -1, 1, 1) for value in (preparation.mean, preparation.std))


def batch(preparation, height=16, width=12):
    """Return the input of a network: pixel values in [0, 1], normalised."""
    mean, std = values(preparation)
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(3, len(preparation.mean), height, width, generator=generator) - mean) / std


def augment(preparation, x, seed=0):
    return Augmentation(preparation, np.random.default_rng(seed))(x)


class Still:
    """A random stream that always draws the middle, no noise and no flip."""

    def permutation(self, count):
        return np.arange(count)

    def uniform(self, low, high):
        return (low + high) / 2

    def random(self):
        return 0.9

    def standard_normal(self, shape, dtype):
        return np.zeros(shape, dtype)


@KINDS
def test_the_middle_of_every_change_is_almost_none(preparation):
    """But for the faintest blur."""
    x = batch(preparation)
    torch.testing.assert_close(Augmentation(preparation, Still())(x), x, rtol=0, atol=1e-2)


@KINDS
@pytest.mark.parametrize("seed", range(5))
def test_pixels_stay_in_range(preparation, seed):
    x = batch(preparation)
    kept = x.clone()
    changed = augment(preparation, x, seed)
    mean, std = values(preparation)
    pixels = changed * std + mean
    assert (changed.shape, changed.dtype) == (x.shape, torch.float32)
    assert -1e-6 <= pixels.min() <= pixels.max() <= 1 + 1e-6
    torch.testing.assert_close(x, kept, rtol=0, atol=0)


@KINDS
def test_draws_come_from_the_stream_alone(preparation):
    x = batch(preparation)
    torch.manual_seed(1)
    once = augment(preparation, x)
    torch.manual_seed(2)
    np.random.seed(2)
    torch.testing.assert_close(augment(preparation, x), once, rtol=0, atol=0)
    assert not torch.equal(augment(preparation, x, seed=1), once)


def test_successive_changes_differ():
    augmentation, x = Augmentation(GREY, np.random.default_rng(0)), batch(GREY)
    assert not torch.equal(augmentation(x), augmentation(x))


def test_the_published_changes_in_their_order():
    """The same draws, handed to torchvision's older functions one by one."""
    x = batch(COLOUR, 16, 16)
    generator = np.random.default_rng(3)
    mean, std = values(COLOUR)
    pixels = (x * std + mean).clip(0, 1)
    adjust = [
        (functional.adjust_brightness, 0.6, 1.4),
        (functional.adjust_contrast, 0.7, 1.3),
        (functional.adjust_saturation, 0.5, 1.5),
        (functional.adjust_hue, -0.06, 0.06),
        (functional.adjust_gamma, 0.7, 1.3),
    ]
    for index in generator.permutation(5):
        change, low, high = adjust[index]
        pixels = change(pixels, generator.uniform(low, high))
    pixels = functional.pad(pixels, [8, 8], padding_mode="edge")
    angle = generator.uniform(-15, 15)
    shift = [round(32 * generator.uniform(-1 / 16, 1 / 16)) for _ in range(2)]
    pixels = functional.affine(
        pixels,
        angle,
        shift,
        generator.uniform(0.9, 1.1),
        [0.0, 0.0],
        functional.InterpolationMode.BILINEAR,
    )
    pixels = functional.gaussian_blur(pixels, [5, 5], [generator.uniform(0.001, 0.5)])
    pixels = functional.center_crop(pixels, [16, 16])
    if generator.random() < 0.5:
        pixels = functional.hflip(pixels)
    pixels = pixels + 0.005 * torch.from_numpy(generator.standard_normal((3, 3, 16, 16), dtype=np.float32))
    torch.testing.assert_close(
        augment(COLOUR, x, seed=3), (pixels.clip(0, 1) - mean) / std, rtol=0, atol=1e-5
    )
