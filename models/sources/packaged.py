"""The trained models that come with the laboratory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from models.sources import Base, LoadedModel

FOLDER = Path(__file__).parent.parent / "packaged"


class Packaged(Base):
    """`{packaged: NAME}`: a model trained by `cema pretrain`, with its card beside it."""

    packaged: Literal["fashion-mnist-edge", "fashion-mnist-foundation"]

    def load(self) -> LoadedModel:
        """Build the network that the card describes and read its weights."""
        from models.images import Preparation  # noqa: PLC0415
        from models.networks import ResidualNetwork  # noqa: PLC0415
        from models.sources import _weights  # noqa: PLC0415

        card = json.loads((FOLDER / f"{self.packaged}.json").read_text(encoding="utf-8"))
        network = ResidualNetwork(card["channels"], card["blocks"], card["num_classes"], len(card["mean"]))
        _weights.read_into(network, FOLDER / f"{self.packaged}.safetensors")
        return LoadedModel(
            network.eval(), card["num_classes"], Preparation(tuple(card["mean"]), tuple(card["std"]))
        )
