import json

import pytest
import torch

from models.sources import packaged
from models.sources.packaged import Packaged

NAMES = [
    name
    for name in ("fashion-mnist-edge", "fashion-mnist-foundation")
    if (packaged.FOLDER / f"{name}.safetensors").exists()
]


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_is_the_one_on_its_card(name):
    card = json.loads((packaged.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    model = Packaged(packaged=name).load()
    assert (model.num_classes, list(model.preparation.mean), list(model.preparation.std)) == (
        10,
        card["mean"],
        card["std"],
    )
    assert not model.network.training
    with torch.no_grad():
        assert model.network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
