from pathlib import Path

import numpy as np
import pytest

from models.datasets import Images
from models.datasets._stored import CLEAN, StoredConditions
from models.errors import InputError

FOG = ("fog", 1)


def test_a_condition_is_opened_when_it_is_first_asked_for_and_once():
    opened = []

    def open_condition(condition):
        opened.append(condition)
        return Images(np.full((2, 4, 4, 3), len(opened), np.uint8), np.zeros(2, np.int64))

    data = StoredConditions(Path("c"), np.zeros(2, np.int64), (4, 4, 3), None, (FOG, CLEAN), open_condition)
    assert opened == []
    assert data.stored(FOG) is data.stored(FOG)
    assert (data.read(np.array([0]))[0] == 2).all()
    assert opened == [FOG, CLEAN]


def test_what_cannot_be_opened_is_tried_again():
    tried = []

    def open_condition(condition):
        tried.append(condition)
        raise InputError("no")

    data = StoredConditions(Path("c"), np.zeros(2, np.int64), (4, 4, 3), None, (FOG,), open_condition)
    for _ in range(2):
        with pytest.raises(InputError, match="no"):
            data.stored(FOG)
    assert tried == [FOG, FOG]
