"""The models of timm (PyTorch Image Models), with their published weights or a checkpoint.

Source: https://github.com/huggingface/pytorch-image-models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from models.errors import InputError
from models.sources import LoadedModel, _published
from scenarios.settings import Name

if TYPE_CHECKING:
    from torch import nn


class Timm(_published.Published):
    """`{timm: NAME, pretrained: true}`, or `{timm: NAME, checkpoint: FILE, num_classes}` with weights from a file.

    Images are resized, cropped and normalised as timm says for NAME. A tag, as in `resnet18.a1_in1k`, chooses among
    the published weights, and so among their preparations, even where the weights come from a file.
    """

    timm: Name
    """As in timm.list_models() or, with a tag, timm.list_pretrained()."""
    pretrained: bool = True
    """Whether to use the published weights, from timm's cache or else downloaded; a checkpoint goes before them."""

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if not self.pretrained and self.checkpoint is None:
            raise ValueError(
                "a `checkpoint` is needed where `pretrained` is false: the model must be trained"
            )
        return self

    def load(self) -> LoadedModel:
        """Build the network and read its weights; InputError where there are none or they do not fit."""
        import timm  # noqa: PLC0415

        from models.sources import _timm  # noqa: PLC0415

        self._check_name()
        published = timm.get_pretrained_cfg(self.timm, allow_unregistered=False)
        assert published is not None
        classes = self.classes(self._model, published.num_classes)
        hub = published.hf_hub_id
        place = f"https://huggingface.co/{hub}" if hub else published.url
        network = self._build() if self.checkpoint else self._download(place)
        return LoadedModel(network.eval(), classes, _timm.preparation_of(network, self._model))

    @property
    def _model(self) -> str:
        return f"timm {self.timm!r}"

    def _check_name(self) -> None:
        import timm  # noqa: PLC0415

        if not timm.is_model(self.timm):
            architecture = self.timm.split(".")[0]
            raise _published.unknown(self._model, architecture, timm.list_models(), "timm.list_models()")
        tagged = timm.models.get_arch_pretrained_cfgs(self.timm)
        if "." in self.timm and self.timm not in tagged:
            raise InputError(f"{self._model}: there are no such weights; allowed: {', '.join(tagged)}")
        if self.checkpoint is None and not timm.is_model_pretrained(self.timm):
            raise InputError(f"{self._model}: no weights are published; give a `checkpoint`")

    def _download(self, place: object) -> nn.Module:
        import timm  # noqa: PLC0415

        try:
            network: nn.Module = timm.create_model(self.timm, pretrained=True)
        except Exception as error:  # what a failed download raises has no bounds
            raise InputError(
                f"{self._model}: the published weights are neither in timm's cache nor can they be downloaded "
                f"({type(error).__name__}: {error}); give the file from {place} as `checkpoint`"
            ) from error
        return network

    def _build(self) -> nn.Module:
        import timm  # noqa: PLC0415

        from models.sources import _weights  # noqa: PLC0415

        assert self.checkpoint is not None
        network: nn.Module = timm.create_model(self.timm, num_classes=self.num_classes)
        _weights.read_into(network, self.checkpoint)
        return network
