import re

import numpy as np
import pytest
from timm.data import ImageNetInfo

from models.datasets import _imagenet
from models.errors import InputError


def test_the_identifiers_are_those_that_timm_knows():
    known = ImageNetInfo("imagenet-1k")
    assert list(_imagenet.wnids()) == [known.index_to_label_name(index) for index in range(1000)]


def test_some_of_the_classes(tmp_path):
    classes = _imagenet.classes(tmp_path, ("n02099601", "n02123045"))  # golden retriever, tabby
    assert (classes.tolist(), classes.dtype) == ([207, 281], np.int64)


def test_all_classes_need_no_choice(tmp_path):
    assert _imagenet.classes(tmp_path, _imagenet.wnids()) is None


def test_other_names(tmp_path):
    message = (
        f"{tmp_path}: every sub-folder must be named by one of ImageNet's 1000 classes, such as n01440764, "
    )
    with pytest.raises(InputError, match=re.escape(f"{message}but not: cat")):
        _imagenet.classes(tmp_path, ("cat", "n02099601"))
