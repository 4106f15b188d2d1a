"""What a reason speaks of, marked in the picture: a ring at each level it names, a bracket between two, a line at an edge.

Read from the reason's own words, so that the mark and the sentence cannot disagree. All places are in drawing units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lstv.base.levels import LEVEL_LABELS, LEVELS

Point = tuple[float, float]

_LABELLED = {label: name for name, label in LEVEL_LABELS.items()}
_NAMED = re.compile("|".join(map(re.escape, _LABELLED)))
_SPAN = re.compile(r"\b(?:from|between) (\S+) (?:to|and) (\S+?)[,;.]?(?: |$)", re.IGNORECASE)
_WHOLE = re.compile(r"\b(?:names|points)\b")
_EDGES = {"above the first disc": "top", "below the last disc": "bottom"}

_RING, _FRONT = 15.0, 60.0
"""The bracket stands in front of the vertebrae, so that it hides none."""

_NEXT_BADGE = 13.0


@dataclass(frozen=True)
class ReasonMark:
    """``number`` of the reason, counted from 1, written at ``badge``; ``path`` in SVG; ``missing``: where a level should be
    that was not found."""

    number: int
    path: str
    badge: Point
    missing: bool


def marks(
    reasons: Sequence[str], placed: Mapping[str, Point | None], *, size: Point, to_front: float
) -> tuple[ReasonMark, ...]:
    """Marks of the reasons that speak of a place. ``placed`` are the levels' points, ``size`` is that of the drawing;
    ``to_front`` is -1 or 1, the side of the points that is free of their names."""
    expected = _expected(placed)
    result: list[ReasonMark] = []
    badges: list[Point] = []

    def add(number: int, path: str, badge: Point, missing: bool = False) -> None:
        while any(abs(badge[0] - x) < _NEXT_BADGE and abs(badge[1] - y) < _NEXT_BADGE for x, y in badges):
            badge = badge[0] + to_front * _NEXT_BADGE, badge[1]
        badge = round(min(max(badge[0], 8.0), size[0] - 8), 1), round(min(max(badge[1], 8.0), size[1] - 8), 1)
        badges.append(badge)
        result.append(ReasonMark(number, path, badge, missing))

    for number, reason in enumerate(reasons, start=1):
        span, edge = _SPAN.search(reason), next((side for said, side in _EDGES.items() if said in reason), None)
        names = [_LABELLED[label] for label in dict.fromkeys(_NAMED.findall(reason))]
        if edge is not None:
            row = 3.0 if edge == "top" else size[1] - 3
            middle = np.mean([point[0] for point in placed.values() if point] or [size[0] / 2])
            add(number, f"M20 {row:.1f}H{size[0] - 20:.1f}", (float(middle) + to_front * 1.5 * _FRONT, row))
        elif span and all(placed.get(_LABELLED.get(label, "")) for label in span.groups()):
            add(number, *_bracket([placed[_LABELLED[label]] for label in span.groups()], to_front))
        elif names:
            for name in names:
                point, lost = placed.get(name), placed.get(name) is None
                point = point or expected.get(name)
                if point is not None:
                    add(number, _ring(point), (point[0] + to_front * (_RING + 9), point[1]), lost)
        elif _WHOLE.search(reason) and (points := [point for point in placed.values() if point]):
            add(number, *_bracket([points[0], points[-1]], to_front))
    return tuple(result)


def _ring(point: Point) -> str:
    x, y = point
    return f"M{x - _RING:.1f} {y:.1f}a{_RING} {_RING} 0 1 0 {2 * _RING} 0a{_RING} {_RING} 0 1 0 {-2 * _RING} 0"


def _bracket(ends: Sequence[Point | None], to_front: float) -> tuple[str, Point]:
    """A bracket beside the straight line between two points, and where its number stands."""
    first, last = (np.array(end, dtype=float) for end in ends)
    a, b = (end + [to_front * _FRONT, 0.0] for end in (first, last))
    tick = -to_front * 7
    path = f"M{a[0] + tick:.1f} {a[1]:.1f}L{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}L{b[0] + tick:.1f} {b[1]:.1f}"
    middle = (a + b) / 2
    return path, (float(middle[0]) + to_front * 10, float(middle[1]))


def _expected(placed: Mapping[str, Point | None]) -> dict[str, Point]:
    """Where the levels without a point should be: on the line through the two nearest levels that have one."""
    known = {index: np.array(placed[name], dtype=float) for index, name in enumerate(LEVELS) if placed.get(name)}
    result: dict[str, Point] = {}
    if len(known) < 2:
        return result
    for index, name in enumerate(LEVELS):
        if index not in known:
            i, j = sorted(sorted(known, key=lambda other: abs(other - index))[:2])
            place = known[i] + (index - i) / (j - i) * (known[j] - known[i])
            result[name] = float(place[0]), float(place[1])
    return result
