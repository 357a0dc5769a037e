import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def draw():
    """Write an image file of random pixels, its parent folders included, and return the pixels (H, W, 3)."""

    def draw(path, size=(12, 12), seed=0):
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, "PNG")  # whatever its name: nothing is lost
        return pixels

    return draw
