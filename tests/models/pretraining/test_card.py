"""The cards of the packaged models, held against the weights that they describe."""

import hashlib
import json

import numpy as np
import pytest
import torch

from models import corruptions
from models.datasets.packaged import Packaged as PackagedData
from models.images import prepare
from models.pretraining.card import mean_corrupted
from models.pretraining.fashion_mnist import RECIPES
from models.sources.packaged import FOLDER, Packaged

EDGE, FOUNDATION = "fashion-mnist-edge", "fashion-mnist-foundation"


def card_of(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [EDGE, FOUNDATION])
def test_describes_the_shipped_weights_and_the_recipe(name):
    card = card_of(name)
    network = Packaged(packaged=name).load().network
    assert card["sha256"] == hashlib.sha256((FOLDER / f"{name}.safetensors").read_bytes()).hexdigest()
    assert card["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert card["recipe"] == json.loads(json.dumps(RECIPES[name].describe()))
    assert card["sha256"] in (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [EDGE, FOUNDATION])
def test_clean_accuracy_is_what_the_card_says(name):
    data, model = PackagedData(packaged="fashion-mnist").load(), Packaged(packaged=name).load()
    images, labels = data.images[:1000], data.labels[:1000]
    with torch.inference_mode():
        logits = model.network(prepare(images, model.preparation, torch.device("cpu")))
    accuracy = float(np.mean(logits.argmax(1).numpy() == labels))
    assert accuracy == pytest.approx(
        card_of(name)["accuracy_clean"], abs=0.025
    )  # three deviations of 1000 draws


def test_a_weak_edge_model_and_a_strong_robust_foundation_model():
    edge, foundation = card_of(EDGE), card_of(FOUNDATION)
    assert edge["parameters"] <= 100_000
    assert 8 <= foundation["parameters"] / edge["parameters"] <= 12
    assert edge["accuracy_clean"] >= 0.91
    assert foundation["accuracy_clean"] >= 0.935
    for severity in (1, 3, 5):
        assert mean_corrupted(foundation, severity) > mean_corrupted(edge, severity) + 0.05
    assert tuple(edge["accuracy_corrupted"]) == corruptions.names()
