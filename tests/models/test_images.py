import numpy as np
import pytest
import torch

from models.images import Preparation, prepare


def test_pixels_are_normalised_by_mean_and_deviation_of_each_channel():
    images = np.zeros((2, 3, 4, 3), np.uint8)
    images[1, 2, 3] = (255, 51, 0)
    x = prepare(images, Preparation((0.5, 0.2, 0.0), (0.5, 0.1, 2.0)), torch.device("cpu"))
    assert (x.shape, x.dtype) == ((2, 3, 3, 4), torch.float32)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x[0, :, 0, 0].tolist() == pytest.approx([-1, -2, 0])
    assert x[1, :, 2, 3].tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_the_images_are_copied():
    images = np.full((1, 2, 2, 1), 7, np.uint8)
    images.flags.writeable = False
    prepare(images, Preparation((0.0,), (1.0,)), torch.device("cpu")).zero_()
    assert (images == 7).all()
