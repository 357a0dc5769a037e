"""Names beside points, moved about until none hides another, a point or a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.intervals import Floats

Segment = tuple[tuple[float, float], tuple[float, float]]
"""The two ends of a line, in data coordinates."""

_ANGLES = np.deg2rad([0, 30, -30, 60, -60, 90, -90, 120, -120, 150, -150, 180])
_RINGS = (7.0, 14.0, 22.0, 32.0, 44.0, 58.0, 74.0)  # distances from the point, in points
_LEADER_FROM = 14.0
_ROUNDS = 3
_MARKER, _GAP = 4.0, 3.0  # half a marker's width and the room between names, in points
# What a place costs: for each pixel of a label, marker or line that it covers, outside the panel, or of distance.
_ON_LABELS, _ON_MARKERS, _ON_LINES, _OUTSIDE, _FAR = 20.0, 8.0, 2.0, 40.0, 3.0


@dataclass(frozen=True)
class Label:
    """A name for a point of a panel, in the panel's data coordinates."""

    x: float
    y: float
    text: str
    colour: str = "#222222"


def freeze_layout(figure: Figure) -> None:
    """Lay the figure out once and for all, so that places in it can be measured."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def place_labels(
    panel: Axes, labels: Sequence[Label], lines: Sequence[Segment] = (), size: float = 7.5
) -> list[Bbox]:
    """Write each label next to its point, with a thin line to it where there was no room beside it.

    Each label tries places around its point and takes the cheapest: near, and covering little of other labels,
    of points and of lines. After a first round each may move again, now that all have a place. The figure's
    layout must be frozen. Returns the labels' boxes in pixels.
    """
    if not labels:
        return []
    pixel = panel.figure.dpi / 72
    anchors = np.array([panel.transData.transform((label.x, label.y)) for label in labels])
    markers = np.hstack([anchors - _MARKER * pixel, anchors + _MARKER * pixel])
    covered = [_along(panel.transData.transform(segment), pixel) for segment in lines]
    strokes = np.vstack(covered) if covered else np.empty((0, 4))
    frame = np.array(panel.get_window_extent().extents)
    places = [_places(panel, label, anchor, size) for label, anchor in zip(labels, anchors, strict=True)]
    costs = [
        _ON_MARKERS * _overlap(own, markers)
        + _ON_LINES * _overlap(own, strokes)
        + _OUTSIDE * _outside(own, frame)
        + _FAR * pixel * np.repeat(_RINGS, len(_ANGLES))
        for own in places
    ]
    chosen = np.array([own[0] for own in places])
    settled = np.zeros(len(labels), dtype=bool)
    where = np.zeros(len(labels), dtype=int)
    for _round in range(_ROUNDS):
        for index, own in enumerate(places):
            settled[index] = False
            where[index] = np.argmin(costs[index] + _ON_LABELS * _overlap(own, chosen[settled]))
            chosen[index] = own[where[index]]
            settled[index] = True
    for label, box, place in zip(labels, chosen, where, strict=True):
        _write(panel, label, box, size, leader=_RINGS[place // len(_ANGLES)] >= _LEADER_FROM)
    return [Bbox.from_extents(*box) for box in chosen]


def _places(panel: Axes, label: Label, anchor: Floats, size: float) -> Floats:
    """Give the boxes that a label may take around its point, near ones first; shape (places, 4)."""
    pixel = panel.figure.dpi / 72
    text = panel.text(0, 0, label.text, fontsize=size)
    extent = text.get_window_extent()
    text.remove()
    half = np.array([extent.width + _GAP * pixel, extent.height]) / 2
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    boxes = []
    for ring in _RINGS:
        centres = anchor + directions * (ring * pixel + half)
        boxes.append(np.hstack([centres - half, centres + half]))
    return np.vstack(boxes)


def _along(ends: Floats, pixel: float) -> Floats:
    """Cover a line, given by its two ends in pixels, with small boxes; shape (boxes, 4)."""
    steps = int(np.ceil(np.abs(ends[1] - ends[0]).max() / (3 * pixel))) + 1
    middles = np.linspace(ends[0], ends[1], steps)
    return np.hstack([middles - 1.5 * pixel, middles + 1.5 * pixel])


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Give the area of each box that the others cover, summed over them; shape (boxes,)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    covered: Floats = np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)
    return covered


def _outside(boxes: Floats, frame: Floats) -> Floats:
    """Give how far each box reaches beyond the frame; shape (boxes,)."""
    below, above = frame[:2] - boxes[:, :2], boxes[:, 2:] - frame[2:]
    beyond: Floats = np.clip(np.hstack([below, above]), 0, None).sum(axis=1)
    return beyond


def _write(panel: Axes, label: Label, box: Floats, size: float, *, leader: bool) -> None:
    centre = panel.transData.inverted().transform((box[:2] + box[2:]) / 2)
    arrow = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
    panel.annotate(
        label.text,
        (label.x, label.y),
        xytext=(float(centre[0]), float(centre[1])),
        fontsize=size,
        color=label.colour,
        ha="center",
        va="center",
        arrowprops=arrow if leader else None,
        zorder=8,
    )
