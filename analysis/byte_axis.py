"""The axis of bytes, which every trade-off is drawn against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from analysis.units import bytes_text

ZERO_DECADES = 0.4
"""How far zero stands from the smallest size: as far as sizes that differ by so many powers of ten."""

ALIKE = 3.0
"""Sizes that differ by no larger a factor are compared with zero on a linear axis: powers of ten would tell little."""


def byte_axis(panel: Axes, values: npt.ArrayLike, most_ticks: int = 7) -> None:
    """Scale the x axis by powers of ten, with a place for zero; linearly where all but zero are much alike."""
    sizes = np.asarray(values, dtype=np.float64)
    sizes = sizes[np.isfinite(sizes)]
    positive = sizes[sizes > 0]
    if not len(positive):
        panel.set_xlim(-1, 1)
        panel.set_xticks([0], ["0 B"])
        return
    in_bytes = FuncFormatter(lambda size, _position: bytes_text(size))
    has_zero = bool((sizes == 0).any())
    if has_zero and positive.max() <= ALIKE * positive.min():
        widest = float(positive.max())
        panel.set_xlim(-0.08 * widest, 1.12 * widest)
        panel.xaxis.set_major_locator(MaxNLocator(min(5, most_ticks - 1), steps=[1, 2, 5, 10]))
        panel.xaxis.set_major_formatter(in_bytes)
        return
    lowest, highest = positive.min() / 1.6, positive.max() * 1.6
    if has_zero:
        span = np.log10(highest / lowest)
        share = span / (
            span + 1.4 * ZERO_DECADES
        )  # of the width; the rest is zero's place and what is left of it
        ticks = decades(lowest, highest, max(3, int(most_ticks * share)))
        threshold = min(lowest, ticks[0]) if ticks else lowest
        panel.set_xscale("symlog", linthresh=threshold, linscale=ZERO_DECADES)
        panel.set_xlim(-0.4 * threshold, highest)
        ticks = [0.0, *ticks]
    else:
        ticks = decades(lowest, highest, most_ticks)
        panel.set_xscale("log")
        panel.set_xlim(lowest, highest)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(in_bytes)


def decades(lowest: float, highest: float, most: int = 7) -> list[float]:
    """Choose round ticks between two sizes above zero: at most so many, and two at least."""
    exponents = range(int(np.floor(np.log10(lowest))), int(np.ceil(np.log10(highest))) + 1)
    for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
        ticks = [tick for tick in ticks if lowest <= tick <= highest]
        if len(ticks) <= most:
            break
    if len(ticks) < 2:
        ticks = [float(tick) for tick in MaxNLocator(min(4, most - 1)).tick_values(lowest, highest)]
        ticks = [tick for tick in ticks if lowest <= tick <= highest]
    apart = 0.5 / most * np.log(highest / lowest)  # on paper: no two ticks may be closer
    kept: list[float] = []
    for tick in reversed(ticks[:: -(-len(ticks) // most)]):
        if not kept or np.log(kept[-1] / tick) >= apart:
            kept.append(tick)
    return kept[::-1]
