"""Budgets taken over: a strategy that is to upload as much as another one did is told how much that was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    from models.strategies import Base as StrategySettings

DEVICES = "devices.parquet"


def resolve(strategy: StrategySettings, folder: Path) -> StrategySettings:
    """Return the settings with the `share` of the run that they `match`; all others as they are.

    Args:
        strategy: the settings.
        folder: the scenario's result folder, with a folder for each strategy by its label.

    """
    from models.strategies._budget import BudgetSettings  # noqa: PLC0415

    if not isinstance(strategy, BudgetSettings) or strategy.match is None or strategy.share is not None:
        return strategy
    return strategy.model_copy(update={"share": upload_share(folder / strategy.match)})


def upload_share(folder: Path) -> float:
    """Return the samples that a run's fleet handed to its uplinks, for each that it predicted, at most 1.

    What the uplinks then lost counts too: they will lose as much of what is selected by the share. Where the cloud
    predicts, uploads can be ahead of predictions. InputError where the run left no account.
    """
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    path = folder / DEVICES
    if not path.is_file():
        raise InputError(f"{path}: no such file; the run to match must come first")
    columns = ["samples_uploaded", "samples_lost_by_uplink", "samples_predicted"]
    present = pq.read_schema(path).names  # older folders do not tell what was lost
    table = pq.read_table(path, columns=[column for column in columns if column in present])
    *handed_over, predicted = (pc.sum(column).as_py() or 0 for column in table.columns)
    uploaded = sum(handed_over)
    return float(min(1.0, uploaded / predicted)) if uploaded and predicted else float(uploaded > 0)
