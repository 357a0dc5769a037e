import pytest
import torch

from models.errors import InputError
from models.placement import Placement, choose_device, place

CPU = torch.device("cpu")


def test_choice_of_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(
        InputError, match="--device cuda: no CUDA device is available here; allowed: auto, cpu"
    ):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "threads", "passes", "overlaps", "steps"),
    [
        ("cpu", 1, 1, False, 1),
        ("cpu", 3, 3, False, 3),
        ("cpu", 4, 1, True, 3),
        ("cpu", 16, 4, True, 12),
        ("cuda", 16, 16, False, 16),
    ],
)
def test_with_threads_to_spare_steps_run_beside_passes(monkeypatch, device, threads, passes, overlaps, steps):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    expected = Placement(torch.device(device), 32, passes, overlaps, steps)
    assert place(torch.device(device), 32) == expected
