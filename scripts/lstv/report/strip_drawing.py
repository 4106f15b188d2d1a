"""The strip of a study as a drawing: the straightened column, the discs found on it, and the named points beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def drawing(
    strip: Strip | None, discs: Sequence[Sequence[float]], junction: Sequence[float] | None
) -> StripDrawing | None:
    """What the page needs to draw a strip; None without one. ``discs`` and ``junction`` as the study's metrics have them:
    [x, y, turn] each, in mm and degrees."""
    if strip is None:
        return None
    rows = [*strip.places_mm, *(row for _, row, _ in discs)]
    top = int(max(0, min(rows) - _MARGIN_MM))
    bottom = int(min(strip.pixels.shape[1], max(rows) + _MARGIN_MM))
    return StripDrawing(
        width=2.0 * HALF_WIDTH_MM + 1,
        top=float(top),
        height=float(bottom - top),
        pixels=strip.pixels[0, top:bottom],
        ticks=tuple(_tick(*disc) for disc in discs),
        junction="" if junction is None else _tick(*junction),
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


def _tick(x: float, y: float, turn: float) -> str:
    aside, along = _TICK_MM * math.cos(math.radians(turn)), _TICK_MM * math.sin(math.radians(turn))
    return f"M{x - aside:.1f} {y + along:.1f}L{x + aside:.1f} {y - along:.1f}"
