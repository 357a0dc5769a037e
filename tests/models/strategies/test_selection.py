import math

import pytest
import torch
from pydantic import ValidationError

from models.strategies._selection import Selection


def judge(selection, *batches):
    exclusion = selection.exclusion(4)
    return [exclusion.judge(torch.tensor(batch).log()) for batch in batches]


def test_the_papers_settings_for_imagenet():
    selection = Selection()
    assert (selection.e0_share, selection.d_margin) == (0.4, 0.05)
    assert selection.e0(1000) == 0.4 * math.log(1000)


SURE = [0.97, 0.01, 0.01, 0.01]
SURE_OF_ANOTHER = [0.01, 0.97, 0.01, 0.01]
UNSURE = [0.25, 0.25, 0.25, 0.25]


def test_predictions_are_reliable_and_unlike_those_before():
    selection = Selection(e0_share=0.5, d_margin=0.4)
    assert judge(selection, [SURE, SURE, UNSURE], [SURE, SURE_OF_ANOTHER, UNSURE]) == [
        ["kept", "kept", "unreliable"],  # nothing was selected before
        ["redundant", "kept", "unreliable"],
    ]


def test_the_entropy_margin_is_constant():
    """It does not follow the world as CEMA's may."""
    assert judge(Selection(e0_share=0.5, d_margin=1.0), [SURE], [UNSURE] * 4)[1] == ["unreliable"] * 4


def test_unreliable_predictions_leave_no_trace():
    selection = Selection(e0_share=0.5, d_margin=0.4)
    assert judge(selection, [UNSURE], [SURE])[1] == ["kept"]


@pytest.mark.parametrize("fields", [{"e0_share": 0.0}, {"d_margin": 0.0}, {"d_margin": 1.5}])
def test_impossible_margins(fields):
    with pytest.raises(ValidationError) as caught:
        Selection.model_validate(fields)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(fields)]
