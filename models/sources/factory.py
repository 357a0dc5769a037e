"""The user's own model: a Python function that builds it, and a checkpoint with its weights."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, ValidationInfo, field_validator, model_validator

from models.sources import Base, LoadedModel
from scenarios.settings import ExistingFile, existing_file


class Factory(Base):
    """`{factory: "module:function" | "file.py:function", checkpoint: FILE, num_classes, mean, std}`.

    The function takes no arguments and returns a torch.nn.Module that maps normalised float32 (N, C, H, W) to logits
    (N, num_classes). It runs Python, so `cema run` asks for --allow-code.
    """

    runs_code: ClassVar[bool] = True

    factory: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    """`module:function`, or `file.py:function` with the file relative to the scenario's folder."""
    checkpoint: ExistingFile
    """safetensors or a weights-only torch file; `module.` prefixes and a `state_dict` level are understood."""
    num_classes: Annotated[int, Field(ge=2)]
    mean: Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=3, strict=False)]
    """Of each channel's pixel values in [0, 1]."""
    std: Annotated[
        tuple[Annotated[FiniteFloat, Field(gt=0)], ...], Field(min_length=1, max_length=3, strict=False)
    ]
    crop: Annotated[int, Field(ge=1)] | None = None
    """Side, in pixels, of the square at the centre that the network sees; left out, it sees images as they are."""
    resize: Annotated[int, Field(ge=1)] | None = None
    """Pixels that the images' shorter side is resized to before the crop; left out, they are resized to the crop."""
    interpolation: Literal["bicubic", "bilinear", "nearest"] = "bicubic"
    """How images are resized."""

    @field_validator("factory")
    @classmethod
    def _resolve_file(cls, value: str, info: ValidationInfo) -> str:
        place, function = value.rsplit(":", 1)
        if not place.endswith(".py"):
            return value
        return f"{existing_file(Path(place), info)}:{function}"

    @model_validator(mode="after")
    def _is_cropped_from_the_resized(self) -> Self:
        if self.resize is not None and (self.crop is None or self.crop > self.resize):
            crop = "is missing" if self.crop is None else f"is {self.crop}"
            raise ValueError(f"`resize` {self.resize} needs a `crop` of at most as many pixels, which {crop}")
        return self

    def load(self) -> LoadedModel:
        """Call the factory and read the checkpoint; InputError where either is not as described."""
        from torch import nn  # noqa: PLC0415

        from models.errors import InputError  # noqa: PLC0415
        from models.images import Preparation  # noqa: PLC0415
        from models.sources import _weights  # noqa: PLC0415

        place, name = self.factory.rsplit(":", 1)
        try:
            network = getattr(_import(place), name)()
        except Exception as error:  # the user's own code may raise anything; the traceback stays chained
            raise InputError(f"factory {self.factory!r}: {type(error).__name__}: {error}") from error
        if not isinstance(network, nn.Module):
            raise InputError(
                f"factory {self.factory!r}: must return a torch.nn.Module, not {type(network).__name__}"
            )
        _weights.read_into(network, self.checkpoint)
        preparation = Preparation(self.mean, self.std, self.resize, self.crop, self.interpolation)
        return LoadedModel(network.eval(), self.num_classes, preparation)


def _import(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    name = f"cema_factory_{Path(place).stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
