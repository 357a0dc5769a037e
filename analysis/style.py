"""How every figure looks: colours that colour-blind readers can tell apart, quiet axes, units in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

DPI = 150
WIDTH_INCHES = 8.6
# Okabe and Ito's palette; its yellow is too pale for a line on white and is left out.
PALETTE = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LINES = ("-", "--", "-.", ":")
FLEET_MARKERS = ("o", "*", "H", "d")
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "h", "p")
TINTS = ("#CFE3F3", "#FBDDB8", "#CDEBDB", "#F0D3E2", "#FBF0B4", "#DAD6EE", "#F6CBC3", "#D9D9D9")

RC: Any = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
}


def line_styles(strategies: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give each strategy its colour, and beyond the palette's end a dash pattern too.

    The first of several is the reference: dashed and on top, so that it can be seen where it meets another.
    """
    labels = list(strategies)
    colours = len(PALETTE) - 1  # black is the first one's alone
    styles: dict[str, dict[str, Any]] = {
        label: {"color": PALETTE[1 + i % colours], "linestyle": LINES[i // colours % len(LINES)]}
        for i, label in enumerate(labels[1:])
    }
    first: dict[str, Any] = {"color": PALETTE[0], "linestyle": "-"}
    if styles:
        first |= {"linestyle": (0, (3.5, 1.5)), "zorder": 3}
    return {labels[0]: first, **styles}


def group_panels(groups: list[str], *, share_y: bool) -> tuple[Figure, list[Axes]]:
    """Make a figure with one panel per group, in one column or, beyond five groups, in two."""
    columns = _columns(groups)
    rows = -(-len(groups) // columns)
    figure = Figure(
        figsize=(WIDTH_INCHES * (1 if columns == 1 else 1.5), 1.2 + 2.1 * rows), layout="constrained"
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=share_y, squeeze=False)
    panels: list[Axes] = list(grid.flat)
    for panel in panels[len(groups) :]:
        panel.remove()
    return figure, panels[: len(groups)]


def panel_width(groups: list[str]) -> float:
    """Estimate the width in inches of a panel that `group_panels` makes."""
    return 7.6 if _columns(groups) == 1 else 5.8


def label_time(panels: list[Axes], unit: str) -> None:
    """Label the time axis under the lowest panel of each column."""
    for panel in panels[-_columns([""] * len(panels)) :]:
        panel.set_xlabel(f"simulated time ({unit})")
        panel.tick_params(axis="x", labelbottom=True)


def _columns(groups: list[str]) -> int:
    return 1 if len(groups) <= 5 else 2


def time_unit(duration_s: float) -> tuple[float, str]:
    """Choose the unit of a time axis: its length in seconds and its name."""
    for limit, size, name in ((1_200, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if duration_s <= limit:
            return float(size), name
    return 86_400.0, "d"


def percent_axis(panel: Axes, values: npt.ArrayLike) -> None:
    """Show shares as percentages on the y axis, with room around the values and never beyond 0 and 100."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    panel.yaxis.set_major_formatter(FuncFormatter(lambda share, _position: f"{round(100 * share, 2):g} %"))
    if len(finite):
        margin = max(0.02, 0.08 * (finite.max() - finite.min()))
        panel.set_ylim(max(0.0, finite.min() - margin), min(1.0, finite.max() + margin))


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG."""
    figure.savefig(path, dpi=DPI, facecolor="white")
    return path
