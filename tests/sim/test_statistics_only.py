"""Shared statistics on the simulated clock: what travels, and what it costs."""

import pyarrow.parquet as pq
import pytest

from models.errors import InputError
from sim.results import TABLES

VALUES = 2 * (4 + 4 + 4 + 8 + 8 + 8)
"""Means and variances of the tiny edge model: the stem, two blocks and a shortcut."""


def run(tiny, folder, **strategy):
    """Run one scenario of two devices and return its tables as rows."""
    tiny.run(folder, strategy={"name": "statistics_only", **strategy})
    return {name.removesuffix(".parquet"): pq.read_table(folder / name).to_pylist() for name in TABLES}


@pytest.mark.parametrize("every", [1, 3])
def test_four_bytes_for_each_statistic_travel_up_and_no_image(tiny, tmp_path, every):
    tables = run(tiny, tmp_path, every_batches=every)
    up = [row for row in tables["transfers"] if row["direction"] == "up"]
    assert {(row["kind"], row["samples"], row["payload_bytes"]) for row in up} == {
        ("statistics", 0, 4 * VALUES)
    }
    for device in tables["devices"]:
        batches = [row for row in tables["batches"] if row["device"] == device["device"]]
        predicted = sum(row["status"] == "predicted" for row in batches)
        sent = sum(row["device"] == device["device"] for row in up)
        assert sent == -(-predicted // every)
        assert device["samples_uploaded"] == 0


def test_steps_and_versions(tiny, tmp_path):
    tables = run(tiny, tmp_path, publish_every_steps=4)
    steps = tables["updates"]
    assert len(steps) > 20
    assert {(row["student"], row["kind"], row["new_samples"], row["flops"]) for row in steps} == {
        ("fleet", "statistics", 0, 3 * VALUES)
    }
    published = [row["version"] for row in steps]
    assert published == [(n + 1) // 4 if (n + 1) % 4 == 0 else None for n in range(len(steps))]
    down = [row for row in tables["transfers"] if row["direction"] == "down"]
    assert {row["payload_bytes"] for row in down} == {
        2 * VALUES
    }  # float16: the affine parameters stay as deployed
    assert len(down) == 2 * (len(steps) // 4)
    assert max(row["version"] for row in tables["batches"]) > 3


def test_a_model_without_statistics_is_the_users_mistake(tiny, tmp_path):
    (tiny.folder / "layer_norm.py").write_text(
        "from torch import nn\n\n\n"
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 10))\n",
        encoding="utf-8",
    )
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 10))
    save_file(network.state_dict(), str(tiny.folder / "layer_norm.safetensors"))
    models = tiny.describe()["models"]
    models["edge"] |= {"factory": "layer_norm.py:build", "checkpoint": "layer_norm.safetensors"}
    with pytest.raises(InputError, match=r"statistics_only: models\.edge has no batch normalisation"):
        tiny.run(tmp_path, strategy="statistics_only", models=models)
