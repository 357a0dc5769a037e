import pytest

from models.errors import InputError
from models.pretraining.recipes import pretrain_all


def test_unknown_recipe(tmp_path):
    with pytest.raises(InputError, match=r"^recipe 'mnist': unknown; allowed: fashion-mnist$"):
        pretrain_all("mnist", None, 0, tmp_path, lambda *_: None)


def test_unknown_model(tmp_path):
    message = (
        r"^--model tiny: not in the recipe fashion-mnist; allowed: fashion-mnist-edge, fashion-mnist-found"
    )
    with pytest.raises(InputError, match=message):
        pretrain_all("fashion-mnist", ["tiny"], 0, tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []
