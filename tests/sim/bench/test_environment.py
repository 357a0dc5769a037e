from __future__ import annotations

import pytest
import torch

from models.errors import InputError
from sim.bench.environment import environment


def test_it_says_what_figures_depend_on():
    found = environment("cpu")
    assert {"python", "torch", "simpy", "numpy"} <= found["versions"].keys()
    assert found["device"] == "cpu"
    assert found["threads"] == torch.get_num_threads()
    assert found["cores"] >= 1
    assert found.keys() >= {"platform", "processor", "gpu"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_a_device_that_is_not_here_is_a_mistake():
    with pytest.raises(InputError, match="CUDA"):
        environment("cuda")
