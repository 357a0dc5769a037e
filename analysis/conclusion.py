"""What a finished run gets: summaries, the comparison and the figures."""

from __future__ import annotations

from pathlib import Path

from analysis.comparison import write_comparison
from analysis.figures import draw_all
from analysis.method_figures import draw_method_figures
from analysis.reading import with_tables
from analysis.summary import write_summary


def conclude(folder: Path) -> list[Path]:
    """Write summary.json of each strategy, comparison.csv where there are several, and the figures; return these.

    Figures of what went on inside a method lie in the folder of its strategy, the others in `folder`.
    """
    strategies = with_tables(folder)
    for own_folder in strategies.values():
        write_summary(own_folder)
    if len(strategies) > 1:
        write_comparison(folder)
    inside = [path for own_folder in strategies.values() for path in draw_method_figures(own_folder)]
    return [*draw_all(folder), *inside]
