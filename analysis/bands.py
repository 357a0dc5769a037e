"""The shift schedule along the top of a panel: bands with their names, or numbers where narrow."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.style import TINTS
from analysis.units import shift_text

_POINTS = 7.0
_LETTER_INCHES = 0.6 * _POINTS / 72
_STRIP_HEIGHT = 0.1  # of the panel's
_HAIRLINES = 24


@dataclass(frozen=True)
class Bands:
    """The shifts of all groups, laid out for panels of the same width."""

    schedule: pd.DataFrame
    unit_s: float
    panel_inches: float

    def __post_init__(self) -> None:
        texts = [
            shift_text(c, s)
            for c, s in zip(self.schedule["corruption"], self.schedule["severity"], strict=True)
        ]
        object.__setattr__(self, "schedule", self.schedule.assign(text=texts))

    @property
    def conditions(self) -> list[str]:
        """The distinct shifts in order of appearance."""
        return list(dict.fromkeys(self.schedule["text"]))

    @property
    def in_words(self) -> bool:
        """Whether every band is wide enough for its name."""
        return all(
            self._fits(text, end - start)
            for text, start, end in zip(
                self.schedule["text"], self.schedule["start_s"], self.schedule["end_s"], strict=True
            )
        )

    def _fits(self, text: str, length_s: float) -> bool:
        inches = self.panel_inches * length_s / float(self.schedule["end_s"].max())
        return (len(text) + 1) * _LETTER_INCHES <= inches

    def tint(self, condition: str) -> str:
        """Shade of a condition; clean stretches stay white."""
        shifted = [name for name in self.conditions if name != "clean"]
        return "#FFFFFF" if condition == "clean" else TINTS[shifted.index(condition) % len(TINTS)]

    def draw(self, panel: Axes, group: str) -> None:
        """Draw the group's bands and name above the panel, and a hairline in it where shifts change."""
        strip = panel.inset_axes((0, 1.02, 1, _STRIP_HEIGHT), sharex=panel)
        strip.set(ylim=(0, 1), yticks=[], title=group)
        strip.tick_params(axis="x", bottom=False, labelbottom=False)
        strip.grid(visible=False)
        strip.spines[:].set_visible(False)
        rows = self.schedule[self.schedule["group"] == group].to_dict("records")
        for row in rows:
            self._draw_band(strip, row["text"], row["start_s"], row["end_s"])
            if row["start_s"] > 0 and len(rows) <= _HAIRLINES:
                panel.axvline(row["start_s"] / self.unit_s, color="#BBBBBB", linewidth=0.6, zorder=0.5)

    def _draw_band(self, strip: Axes, text: str, start_s: float, end_s: float) -> None:
        start, end = start_s / self.unit_s, end_s / self.unit_s
        strip.axvspan(start, end, facecolor=self.tint(text), edgecolor="#BBBBBB", linewidth=0.5)
        shown = text if self.in_words else str(self.conditions.index(text) + 1)
        if self._fits(shown, end_s - start_s):
            strip.text(
                (start + end) / 2, 0.46, shown, ha="center", va="center", fontsize=_POINTS, clip_on=True
            )

    def draw_key(self, figure: Figure) -> None:
        """Explain numbers and shades below the panels, unless the bands carry their names themselves."""
        if not self.in_words:
            patches = [
                Patch(facecolor=self.tint(name), edgecolor="#BBBBBB", linewidth=0.5, label=f"{number} {name}")
                for number, name in enumerate(self.conditions, start=1)
            ]
            figure.legend(
                handles=patches,
                loc="outside lower center",
                ncols=min(4, len(patches)),
                fontsize=_POINTS + 0.5,
            )
