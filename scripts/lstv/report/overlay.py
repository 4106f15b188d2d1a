"""A study's centre slice with its heatmaps, as layers: two PNG images and drawings in the slice's true proportions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import contourpy
import cv2
import numpy as np

from lstv.base.errors import StudyError
from lstv.base.levels import GRID, LEVEL_LABELS, LEVELS
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.localizer.outcome import NotAnalysed
from lstv.report import reason_marks, strip_drawing
from lstv.report.brightness import windowed
from lstv.report.directions import edge_letters
from lstv.report.palette import JUNCTION, LEVEL_COLOURS, rgb
from lstv.report.reason_marks import Point, ReasonMark
from lstv.report.strip_drawing import StripDrawing

WIDTH = 320.0
"""Width of the drawing in its own units; the height follows from the millimetres."""

LABEL_SHIFT, LABEL_APART = 21.0, 13.0
"""How far a level's name stands beside its point, and how far two names are kept from one another."""

ZOOM_MM, CROP_MM = 90.0, 110.0
"""Width of the field around the junction that is shown enlarged: on a card, and on the first screen."""

CROP_TALL = 1.1
"""Height over width of the field on the first screen."""


@dataclass(frozen=True)
class Mark:
    """One level in the drawing: outline of p = 0.5 as an SVG path, the point and where its label stands (or None).

    ``leader`` joins point and label, empty where the label stands straight beside its point.
    """

    label: str
    colour: str
    junction: bool
    outline: str
    point: Point | None
    text: Point | None
    leader: str


@dataclass(frozen=True)
class Overlay:
    """What the page needs to draw one study; ``image`` and ``heat`` are data URLs, lengths are in drawing units.
    ``is_whole``: the image has the full resolution of the series, not that of the network's grid."""

    width: float
    height: float
    image: str
    heat: str
    marks: tuple[Mark, ...]
    anchor: str
    reasons: tuple[ReasonMark, ...]
    zoom: str
    crop: str
    letters: dict[str, str]
    bar: float | None
    bar_label: str
    strip: StripDrawing | None
    strip_image: str
    is_whole: bool = False


def probabilities(maps: Analysed) -> np.ndarray:
    """float32 (5, 160, 160): softmax over the six channels, background left out."""
    logits = maps.logits.astype(np.float32)
    shares = np.exp(logits - logits.max(axis=0))  # SciPy's softmax takes 0.3 s to import
    probability: np.ndarray = (shares / shares.sum(axis=0))[1:]
    return probability


def points(document: Mapping[str, Any]) -> dict[str, list[float] | None]:
    """(column, row) of every level on the network's grid from a metrics JSON; None where a level was not found."""
    levels = document.get("levels", {})
    return {level: levels.get(level, {}).get("point_px") for level in LEVELS}


def overlay(maps: StudyMaps, document: Mapping[str, Any], reasons: Sequence[str] = ()) -> Overlay:
    """Layers of one study, whose metrics are ``document``; what the ``reasons`` speak of is marked."""
    if isinstance(maps, NotAnalysed):
        raise StudyError(f"study {maps.study_id} has no heatmaps to draw ({maps.status}: {maps.reason})")
    probability = probabilities(maps)
    row_mm, column_mm = maps.geometry.grid_spacing(GRID)
    sx = WIDTH / GRID
    sy = sx * row_mm / column_mm
    height = GRID * sy
    placed = {
        level: ((point[0] + 0.5) * sx, (point[1] + 0.5) * sy) if point is not None else None
        for level, point in points(document).items()
    }
    measured = document.get("study", {})
    directions = edge_letters(maps.geometry)
    to_right = _label_side(placed, directions)
    texts = _label_places(placed, to_right, height)
    marks = tuple(
        Mark(
            LEVEL_LABELS[level],
            LEVEL_COLOURS[level],
            level == JUNCTION,
            _outline(probability[index], sx, sy),
            _rounded(placed.get(level)),
            texts.get(level),
            _leader(placed.get(level), texts.get(level), to_right),
        )
        for index, level in enumerate(LEVELS)
    )
    bar_mm = 50 if GRID * column_mm > 100 else 10
    return Overlay(
        WIDTH,
        round(height, 1),
        png(windowed(maps.image)),
        png(heat_layer(probability)),
        marks,
        "start" if to_right else "end",
        reason_marks.marks(reasons, placed, size=(WIDTH, height), to_front=-1.0 if to_right else 1.0),
        _field(placed, height, ZOOM_MM * sx / column_mm, height / WIDTH),
        _field(placed, height, CROP_MM * sx / column_mm, CROP_TALL),
        directions,
        round(bar_mm * sx / column_mm, 1),
        f"{bar_mm} mm",
        strip := strip_drawing.drawing(maps.strip, measured.get("discs") or (), measured.get("junction_disc")),
        "" if strip is None else png(windowed(strip.pixels)),
    )


def heat_layer(probability: np.ndarray) -> np.ndarray:
    """uint8 RGBA (160, 160, 4): each level in its hue, as opaque as it is probable; transparent below p = 0.02."""
    colours = np.array([rgb(LEVEL_COLOURS[level]) for level in LEVELS], dtype=np.float32)
    total = probability.sum(axis=0)
    mixed = np.tensordot(probability, colours, axes=(0, 0)) / np.maximum(total, 1e-6)[..., None]
    strength = np.array([0.7 if level == JUNCTION else 0.45 for level in LEVELS], dtype=np.float32)
    alpha = np.where(total < 0.02, 0.0, np.tensordot(probability, strength, axes=(0, 0)))
    layer = np.concatenate([mixed, 255 * alpha[..., None]], axis=-1).round().astype(np.uint8)
    layer[layer[..., 3] == 0] = 0  # compresses better
    return layer


def png(image: np.ndarray) -> str:
    """A grey (H, W) or RGBA (H, W, 4) uint8 image as a data URL."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA)
    _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _outline(probability: np.ndarray, sx: float, sy: float) -> str:
    path = []
    lines = cast("list[np.ndarray]", contourpy.contour_generator(z=probability).lines(0.5))  # of the default line type
    for line in lines:
        if len(line) >= 4:
            path.append("M" + "L".join(f"{(x + 0.5) * sx:.1f} {(y + 0.5) * sy:.1f}" for x, y in line))
    return "".join(path)


def _label_side(placed: dict[str, Point | None], directions: dict[str, str]) -> bool:
    """Whether labels stand to the right of their points: on the posterior side, unless there is no room."""
    columns = [point[0] for point in placed.values() if point is not None]
    if directions["left"] == "P":
        return bool(columns) and min(columns) < 80
    return not columns or max(columns) < WIDTH - 80


def _label_places(placed: dict[str, Point | None], to_right: bool, height: float) -> dict[str, Point]:
    """Where the names of the levels stand: beside their points, from the top, moved down where two would overlap, and all
    up again where the last would leave the picture."""
    result: dict[str, Point] = {}
    row = -LABEL_APART
    for level, (x, y) in sorted(((k, p) for k, p in placed.items() if p is not None), key=lambda item: item[1][1]):
        row = max(y + 4, row + LABEL_APART)
        result[level] = x + (LABEL_SHIFT if to_right else -LABEL_SHIFT), row
    limit = height - 6
    for level, (x, y) in reversed(result.items()):
        result[level] = round(x, 1), round(min(y, limit), 1)
        limit = result[level][1] - LABEL_APART
    return result


def _leader(point: Point | None, text: Point | None, to_right: bool) -> str:
    """A thin line from a point to its name where the name had to move."""
    if point is None or text is None or abs(text[1] - 4 - point[1]) < 3:
        return ""
    return f"M{point[0]:.1f} {point[1]:.1f}L{text[0] - (2 if to_right else -2):.1f} {text[1] - 4:.1f}"


def _rounded(point: Point | None) -> Point | None:
    return None if point is None else (round(point[0], 1), round(point[1], 1))


def _field(placed: dict[str, Point | None], height: float, width: float, shape: float) -> str:
    """``viewBox`` of an enlarged field, ``width`` units wide and ``shape`` times as tall where the picture allows: around
    L5/S1, else below the lowest level found, else the lower middle."""
    width = min(width, WIDTH, height / shape)
    tall = width * shape
    x, y = WIDTH / 2, 0.75 * height
    for level in reversed(LEVELS):
        point = placed.get(level)
        if point is not None:
            x, y = point
            y += 0.0 if level == JUNCTION else 0.25 * tall
            break
    left = min(max(x - width / 2, 0), WIDTH - width)
    top = min(max(y - tall / 2, 0), height - tall)
    return f"{left:.1f} {top:.1f} {width:.1f} {tall:.1f}"
