import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from models.errors import InputError
from models.sources import _weights


@pytest.fixture
def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).state_dict()


def prefixed(weights):
    return {f"module.{key}": value for key, value in weights.items()}


@pytest.mark.parametrize(
    "content",
    [
        lambda weights: weights,
        prefixed,
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {"state_dict": prefixed(weights), "optimizer": {"lr": 0.1}},
    ],
    ids=["plain", "prefixed", "level", "both"],
)
def test_torch_files(tmp_path, network, weights, content):
    torch.save(content(weights), tmp_path / "weights.pt")
    _weights.read_into(network, tmp_path / "weights.pt")
    assert all(torch.equal(network.state_dict()[key], value) for key, value in weights.items())


@pytest.mark.parametrize("change", [dict, prefixed])
def test_safetensors_files(tmp_path, network, weights, change):
    save_file(change(weights), tmp_path / "weights.safetensors")
    _weights.read_into(network, tmp_path / "weights.safetensors")
    assert all(torch.equal(network.state_dict()[key], value) for key, value in weights.items())


def test_every_key_that_does_not_fit_is_named(tmp_path, network, weights):
    del weights["0.bias"], weights["1.running_mean"]
    weights |= {"head.weight": torch.zeros(2), "1.weight": torch.zeros(3)}
    path, before = tmp_path / "weights.safetensors", {k: v.clone() for k, v in network.state_dict().items()}
    save_file(weights, path)
    with pytest.raises(InputError) as caught:
        _weights.read_into(network, path)
    assert str(caught.value) == (
        f"{path}: the checkpoint does not fit the model: missing 0.bias; missing 1.running_mean; "
        "unexpected head.weight; 1.weight is (3,) where the model has (2,)"
    )
    assert all(torch.equal(network.state_dict()[key], value) for key, value in before.items())


def test_counts_of_batches_may_be_missing(tmp_path, network, weights):
    """As in torchvision's older files, whose layers did not count yet."""
    del weights["1.num_batches_tracked"]
    save_file(weights, tmp_path / "weights.safetensors")
    _weights.read_into(network, tmp_path / "weights.safetensors")
    assert all(torch.equal(network.state_dict()[key], value) for key, value in weights.items())


def test_of_many_keys_a_dozen_is_named(tmp_path, network):
    save_file({f"layer{i:02}": torch.zeros(1) for i in range(30)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError) as caught:
        _weights.read_into(network, tmp_path / "weights.safetensors")
    assert str(caught.value).count("missing") == 6
    assert str(caught.value).endswith("; unexpected layer05; and 24 more")


def test_a_network_whose_own_names_begin_with_module(tmp_path, weights):
    network = nn.Sequential()
    network.module = nn.Linear(2, 2)
    save_file(
        {f"module.{key}": value for key, value in nn.Linear(2, 2).state_dict().items()},
        tmp_path / "w.safetensors",
    )
    _weights.read_into(network, tmp_path / "w.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=60) | st.text(max_size=20).map(str.encode))
def test_files_that_are_no_checkpoints(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"garbage{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        _weights.read(path)


class Evil:
    def __reduce__(self):
        return print, ("code in a checkpoint must not run",)


def test_a_pickle_of_objects_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "pickled.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    for name in ("evil.pt", "pickled.pt"):
        with pytest.raises(InputError, match="weights only"):
            _weights.read(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, {"state_dict": {"epoch": 3}}])
def test_files_without_named_tensors(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt: must hold named tensors \(or a `state_dict` of them\)"):
        _weights.read(tmp_path / "other.pt")


def test_names_that_are_no_text(tmp_path):
    torch.save({1: torch.zeros(2)}, tmp_path / "numbered.pt")
    with pytest.raises(InputError, match="must hold named tensors"):
        _weights.read(tmp_path / "numbered.pt")
