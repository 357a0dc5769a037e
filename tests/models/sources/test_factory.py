import re

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from models.errors import InputError
from models.images import Preparation
from models.sources.factory import Factory

CODE = """
from torch import nn
import collections

def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3))

def nothing():
    return None

def needs_more(width):
    return nn.Linear(width, 3)

def broken():
    raise ValueError("no such width")
"""


@pytest.fixture
def expected():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3))


@pytest.fixture
def factory(tmp_path, expected):
    """Describe a model whose code and checkpoint lie in tmp_path."""
    (tmp_path / "code.py").write_text(CODE)
    save_file(expected.state_dict(), tmp_path / "weights.safetensors")

    def build(factory="code.py:network", checkpoint="weights.safetensors", **given):
        data = {"factory": factory, "checkpoint": checkpoint, "num_classes": 3, "mean": [0.5], "std": [0.25]}
        return Factory.model_validate(data | given, context={"folder": tmp_path})

    return build


def assert_loaded(model, expected):
    assert (model.num_classes, model.preparation.mean, model.preparation.std) == (3, (0.5,), (0.25,))
    assert not model.network.training
    for key, value in expected.state_dict().items():
        assert torch.equal(model.network.state_dict()[key], value)


def test_a_file_relative_to_the_scenario(factory, expected):
    assert_loaded(factory().load(), expected)


def test_a_module(factory, expected, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "factory_of_a_test.py").write_text(CODE)
    assert_loaded(factory("factory_of_a_test:network").load(), expected)


def test_every_load_is_a_fresh_copy(factory):
    first, second = factory().load(), factory().load()
    with torch.no_grad():
        first.network[1].weight.zero_()
    assert second.network[1].weight.abs().min() > 0


def test_it_runs_code():
    assert Factory.runs_code


@pytest.mark.parametrize(
    ("factory_name", "message"),
    [
        (
            "code.py:absent",
            "code.py:absent': AttributeError: module 'cema_factory_code' has no attribute 'absent'",
        ),
        (
            "no_such_module:network",
            "factory 'no_such_module:network': ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("code.py:nothing", "code.py:nothing': must return a torch.nn.Module, not NoneType"),
        ("syntax.py:network", "syntax.py:network': SyntaxError: invalid syntax"),
        ("imports.py:network", "imports.py:network': ModuleNotFoundError: No module named 'no_such_module'"),
        ("code.py:collections", "code.py:collections': TypeError: 'module' object is not callable"),
        ("code.py:needs_more", "needs_more() missing 1 required positional argument: 'width'"),
        ("code.py:broken", "code.py:broken': ValueError: no such width"),
        ("raises.py:network", "raises.py:network': ZeroDivisionError: "),
    ],
)
def test_factories_that_do_not_work(factory, tmp_path, factory_name, message):
    (tmp_path / "syntax.py").write_text("def network(:\n    pass")
    (tmp_path / "imports.py").write_text("import no_such_module")
    (tmp_path / "raises.py").write_text("network = 1 / 0")
    with pytest.raises(InputError, match=re.escape(message)):
        factory(factory_name).load()


@pytest.mark.parametrize("name", ["code.py", "code.py:", ":network", "code.py:1st", "absent.py:network"])
def test_factories_that_are_none(factory, name):
    with pytest.raises(ValidationError) as caught:
        factory(name)
    assert [error["loc"] for error in caught.value.errors()] == [("factory",)]


def test_a_missing_checkpoint(factory, tmp_path):
    with pytest.raises(ValidationError, match=f"no such file: {tmp_path / 'absent.pt'}"):
        factory(checkpoint="absent.pt")


@pytest.mark.parametrize(
    ("given", "preparation"),
    [
        ({}, Preparation((0.5,), (0.25,))),
        ({"crop": 2}, Preparation((0.5,), (0.25,), None, 2)),
        (
            {"crop": 2, "resize": 3, "interpolation": "nearest"},
            Preparation((0.5,), (0.25,), 3, 2, "nearest"),
        ),
    ],
)
def test_how_images_are_resized(factory, given, preparation):
    assert factory(**given).load().preparation == preparation


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resize": 4}, "`resize` 4 needs a `crop` of at most as many pixels, which is missing"),
        ({"resize": 4, "crop": 5}, "`resize` 4 needs a `crop` of at most as many pixels, which is 5"),
        ({"crop": 0}, "greater than or equal to 1"),
        ({"crop": 5, "interpolation": "lanczos"}, "'bicubic', 'bilinear' or 'nearest'"),
    ],
)
def test_sizes_that_do_not_fit(factory, given, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        factory(**given)
