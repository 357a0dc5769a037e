from __future__ import annotations

from pathlib import Path

from analysis.conclusion import conclude
from analysis.figures import draw_all
from analysis.method_figures import draw_method_figures


def test_several_strategies_get_summaries_a_comparison_and_figures(both: Path) -> None:
    drawn = conclude(both)
    assert drawn == [*draw_all(both), *draw_method_figures(both / "cema")]
    assert (both / "comparison.csv").is_file()
    assert all((both / name / "summary.json").is_file() for name in ("source", "cema"))


def test_figures_of_the_method_lie_with_its_strategy(both: Path, cema: Path) -> None:
    import pandas as pd  # noqa: PLC0415

    updates = pd.read_parquet(cema / "updates.parquet")
    updates.assign(distillation_loss=0.5).to_parquet(cema / "updates.parquet")
    assert conclude(both)[-1] == cema / "losses.png"
