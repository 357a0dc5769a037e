from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.conclusion import conclude


def test_several_strategies_get_summaries_a_comparison_and_figures(both: Path) -> None:
    figures = ["accuracy_over_time", "accuracy_against_uplink", "staleness"]
    assert conclude(both) == [both / f"{name}.png" for name in figures]
    assert (both / "comparison.csv").is_file()
    assert all((both / name / "summary.json").is_file() for name in ("source", "cema"))


def test_figures_of_the_method_lie_with_its_strategy(cema: Path) -> None:
    updates = pd.read_parquet(cema / "updates.parquet")
    updates.assign(distillation_loss=0.5).to_parquet(cema / "updates.parquet")
    assert conclude(cema)[-1] == cema / "losses.png"
