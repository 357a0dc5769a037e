"""Running a recipe: train its models, measure them, write weights and cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from models.errors import InputError
from models.pretraining import fashion_mnist
from models.pretraining.card import write_card

RECIPES = {"fashion-mnist": fashion_mnist}

Report = Callable[[str, float, float, str], None]
"""Called with a task's name, how much is done, of how much, and a line of text."""


def pretrain_all(recipe: str, models: Sequence[str] | None, seed: int, folder: Path, report: Report) -> None:
    """Train the models of a recipe (all of them by default) into `folder`.

    Writes `<model>.safetensors`, `<model>.json` (the card as data, which loading the model needs) and `<model>.md`
    (the card to read). Raises InputError for an unknown recipe or model, or where the training images are missing.
    """
    if recipe not in RECIPES:
        raise InputError(f"recipe {recipe!r}: unknown; allowed: {', '.join(RECIPES)}")
    module = RECIPES[recipe]
    known = module.RECIPES
    for model in models or ():
        if model not in known:
            raise InputError(f"--model {model}: not in the recipe {recipe}; allowed: {', '.join(known)}")
    for model in models or known:
        module.pretrain(model, seed, folder, partial(report, f"train {model}"))
        write_card(module.describe(model), model, seed, folder, partial(report, f"measure {model}"))
