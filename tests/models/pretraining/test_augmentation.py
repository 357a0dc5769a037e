import pytest
import torch

from models import corruptions
from models.pretraining import augmentation
from models.pretraining.augmentation import OPERATIONS, flip_and_crop, light, strong


@pytest.fixture
def images():
    return torch.rand((32, 3, 12, 10), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("operation", [*OPERATIONS, light, strong], ids=lambda f: f.__name__)
def test_keeps_shape_and_range_and_follows_its_generator(operation, images):
    result = operation(images, torch.Generator().manual_seed(1))
    assert result.shape == images.shape
    assert result.min() >= 0
    assert result.max() <= 1
    assert torch.equal(result, operation(images, torch.Generator().manual_seed(1)))
    assert not torch.equal(result, operation(images, torch.Generator().manual_seed(2)))


def test_crops_are_windows_of_the_padded_image_or_its_mirror(images):
    for clean, cropped in zip(images, flip_and_crop(images, torch.Generator().manual_seed(3)), strict=True):
        padded = torch.nn.functional.pad(clean, (2, 2, 2, 2))
        windows = [padded[:, row : row + 12, column : column + 10] for row in range(5) for column in range(5)]
        assert any(torch.equal(cropped, candidate) for w in windows for candidate in (w, w.flip(2)))


def test_no_operation_bears_the_name_of_an_evaluated_corruption():
    assert not {operation.__name__ for operation in augmentation.OPERATIONS} & set(corruptions.names())
