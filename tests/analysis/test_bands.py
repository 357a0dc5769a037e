from __future__ import annotations

import pandas as pd

from analysis.bands import Bands
from analysis.style import group_panels


def _bands(*conditions: tuple[str, int], panel_inches: float = 7.6) -> Bands:
    rows = [("g", 10.0 * i, 10.0 * (i + 1), name, level) for i, (name, level) in enumerate(conditions)]
    columns = ["group", "start_s", "end_s", "corruption", "severity"]
    return Bands(pd.DataFrame(rows, columns=columns), 1.0, panel_inches)


def _drawn(bands: Bands) -> tuple[list[str], list[str]]:
    """Draw, and give the texts in the bands and in the key."""
    figure, [panel] = group_panels(["g"], share_y=True)
    bands.draw(panel, "g")
    bands.draw_key(figure)
    strip = panel.child_axes[0]
    key = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [text.get_text() for text in strip.texts], key


def test_wide_bands_carry_their_names() -> None:
    assert _drawn(_bands(("gaussian_noise", 5), ("none", 0))) == (["gaussian noise 5", "clean"], [])


def test_narrow_bands_carry_numbers_with_a_key() -> None:
    bands = _bands(("gaussian_noise", 5), ("none", 0), ("gaussian_noise", 5), panel_inches=2)
    assert _drawn(bands) == (["1", "2", "1"], ["1 gaussian noise 5", "2 clean"])


def test_bands_too_narrow_for_numbers_are_only_shaded() -> None:
    assert _drawn(_bands(("fog", 1), ("snow", 2), panel_inches=0.1)) == ([], ["1 fog 1", "2 snow 2"])


def test_clean_is_white_and_neighbours_differ() -> None:
    bands = _bands(("none", 0), ("fog", 1), ("fog", 2))
    assert bands.tint("clean") == "#FFFFFF"
    assert bands.tint("fog 1") != bands.tint("fog 2")
