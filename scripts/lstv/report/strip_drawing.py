"""The strip of a study as a drawing: the straightened column, the discs found on it, and the named points beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.anatomy import signs
from lstv.anatomy.strip import HALF_WIDTH_MM, Strip
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.report.palette import LEVEL_COLOURS

_MARGIN_MM = 30.0
_TICK_MM = 11.0
_LABEL_APART_MM = 9.0


@dataclass(frozen=True)
class Named:
    """A point on the strip: its ``label``, ``colour`` and row ``y``; ``text_y`` is the base line of its label, which moves
    where two would overlap, and ``leader`` then joins the two."""

    label: str
    colour: str
    y: float
    text_y: float
    leader: str


@dataclass(frozen=True)
class StripDrawing:
    """Lengths are millimetres of the strip. ``top`` and ``height`` of the part that is shown; ``tick`` an SVG path for each
    disc found, ``junction`` that of L5/S1 (empty where it was not measured); ``pixels`` uint8 (H, W) of that part."""

    width: float
    top: float
    height: float
    pixels: np.ndarray
    ticks: tuple[str, ...]
    junction: str
    points: tuple[Named, ...]


def drawing(strip: Strip | None) -> StripDrawing | None:
    """What the page needs to draw a strip; None without one."""
    if strip is None:
        return None
    found = signs.read(strip)
    discs = () if found is None else found.discs
    rows = [*strip.places_mm, *(float(disc.centre[1]) for disc in discs)]
    top = int(max(0, min(rows) - _MARGIN_MM))
    bottom = int(min(strip.pixels.shape[1], max(rows) + _MARGIN_MM))
    junction = None if found is None else found.junction
    return StripDrawing(
        width=2.0 * HALF_WIDTH_MM + 1,
        top=float(top),
        height=float(bottom - top),
        pixels=strip.pixels[0, top:bottom],
        ticks=tuple(_tick(disc.centre, disc.across) for disc in discs),
        junction="" if junction is None else _tick(junction.centre, junction.across),
        points=_named(strip),
    )


def _named(strip: Strip) -> tuple[Named, ...]:
    """The points of a strip with their labels, from the top."""
    result: list[Named] = []
    text, edge = -_LABEL_APART_MM, 2.0 * HALF_WIDTH_MM + 2
    for level, row in sorted(zip(strip.levels, strip.places_mm), key=lambda item: item[1]):
        text = max(row + 2, text + _LABEL_APART_MM)
        leader = f"M{HALF_WIDTH_MM} {row:.1f}L{edge} {text - 2:.1f}" if text - 2 - row > 1 else ""
        name = LEVELS[level]
        result.append(Named(LEVEL_LABELS[name], LEVEL_COLOURS[name], round(row, 1), round(text, 1), leader))
    return tuple(result)


def _tick(centre: np.ndarray, across: np.ndarray) -> str:
    (x1, y1), (x2, y2) = centre - _TICK_MM * across, centre + _TICK_MM * across
    return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
