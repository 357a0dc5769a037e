"""The classifiers of torchvision, with their published weights or a checkpoint.

Source: https://docs.pytorch.org/vision/stable/models.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from models.errors import InputError
from models.sources import LoadedModel, _published

if TYPE_CHECKING:
    from torch import nn

    from models.images import Preparation


class Torchvision(_published.Published):
    """`{torchvision: NAME, weights: DEFAULT}`, or `{torchvision: NAME, checkpoint: FILE}` with weights from a file.

    Images are resized, cropped and normalised as torchvision says for the weights.
    """

    torchvision: str
    """As in torchvision.models.list_models(torchvision.models)."""
    weights: str | None = "DEFAULT"
    """As in `IMAGENET1K_V1`, from torchvision's cache or else downloaded; beside a checkpoint, which goes before
    them, they say how images are prepared, and null stands for the default ones."""

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if self.weights is None and self.checkpoint is None:
            raise ValueError("a `checkpoint` is needed where `weights` is null: the model must be trained")
        return self

    def load(self) -> LoadedModel:
        """Build the network and read its weights; InputError where there are none or they do not fit."""
        weights = self._weights()
        classes = self.classes(self._model, len(weights.meta["categories"]))
        network = self._build(classes) if self.checkpoint else self._download(weights)
        return LoadedModel(network.eval(), classes, _preparation(weights.transforms()))

    @property
    def _model(self) -> str:
        return f"torchvision {self.torchvision!r}"

    def _weights(self) -> Any:
        """Return the member of the model's weights that is asked for."""
        from torchvision import models  # noqa: PLC0415

        known = models.list_models(models)
        if self.torchvision not in known:
            command = "torchvision.models.list_models(torchvision.models)"
            raise _published.unknown(self._model, self.torchvision, known, command)
        members = models.get_model_weights(self.torchvision).__members__
        classifiers = {name: member for name, member in members.items() if member.meta["categories"]}
        name = self.weights or "DEFAULT"
        if name not in classifiers:
            raise InputError(
                f"{self._model}: there are no weights {name!r}; allowed: {', '.join(classifiers)}"
            )
        return classifiers[name]

    def _download(self, weights: Any) -> nn.Module:
        from torch import hub  # noqa: PLC0415
        from torchvision import models  # noqa: PLC0415

        try:
            network: nn.Module = models.get_model(self.torchvision, weights=weights)
        except Exception as error:  # what a failed download raises has no bounds
            raise InputError(
                f"{self._model}: the published weights are neither in torchvision's cache nor can they be downloaded "
                f"({type(error).__name__}: {error}); give {weights.url} as `checkpoint`, "
                f"or put it into {hub.get_dir()}/checkpoints"
            ) from error
        return network

    def _build(self, classes: int) -> nn.Module:
        from torchvision import models  # noqa: PLC0415

        from models.sources import _weights  # noqa: PLC0415

        assert self.checkpoint is not None
        # As torchvision builds these two for its own weights: they take input that others' mean and std normalised.
        options = (
            {"transform_input": True, "init_weights": False}
            if self.torchvision in ("googlenet", "inception_v3")
            else {}
        )
        network: nn.Module = models.get_model(self.torchvision, weights=None, num_classes=classes, **options)
        _weights.read_into(network, self.checkpoint)
        return _without_auxiliary_heads(network)


def _without_auxiliary_heads(network: nn.Module) -> nn.Module:
    """Remove the heads that only training from scratch needs: with them, training mode returns more than logits."""
    for head in ("aux1", "aux2", "AuxLogits"):
        if hasattr(network, head):
            setattr(network, head, None)
            network.aux_logits = False  # type: ignore[assignment]
    return network


def _preparation(transforms: Any) -> Preparation:
    from models.images import Preparation  # noqa: PLC0415

    (resize,), (crop,) = transforms.resize_size, transforms.crop_size
    return Preparation(
        tuple(transforms.mean), tuple(transforms.std), resize, crop, transforms.interpolation.value
    )
