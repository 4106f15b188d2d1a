"""From the frames of a folder to one sagittal stack: which group, in which order, turned which way."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstv.base.arrays import FloatArray, StoredArray, triple
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.headers import Frame

MIN_SLICES = 3
"""Fewer slices are not a stack: there is no centre slice with a neighbour on either side."""

SAME_POSITION_MM = 0.01
_ORIENTATION_DECIMALS = 3
_ANGLE_CLASS_DEG = 5.0
_MAX_SAGITTAL_ANGLE_DEG = 45.0
_POSTERIOR = np.array([0.0, 1.0, 0.0])
_INFERIOR = np.array([0.0, 0.0, -1.0])


class StackError(Exception):
    """The frames do not make a sagittal stack; the text is a clause that says why and what to do."""


@dataclass(frozen=True)
class Turn:
    """How a stored slice is turned so that rows run to posterior and columns to inferior: transposed first, then rows
    and columns reversed."""

    transpose: bool = False
    reverse_rows: bool = False
    reverse_columns: bool = False

    @property
    def name(self) -> str:
        """``none``, or what is done in order, such as ``transpose+reverse_rows``."""
        return (
            "+".join(word for word in ("transpose", "reverse_rows", "reverse_columns") if getattr(self, word)) or "none"
        )

    def pixels(self, image: StoredArray) -> StoredArray:
        """A view of ``image`` (H, W), turned."""
        image = image.T if self.transpose else image
        return image[:: -1 if self.reverse_rows else 1, :: -1 if self.reverse_columns else 1]

    def geometry(self, plane: SliceGeometry) -> SliceGeometry:
        """The plane of the turned slice: every pixel keeps its patient coordinates."""
        if self.transpose:
            plane = replace(
                plane,
                row_direction=plane.column_direction,
                column_direction=plane.row_direction,
                row_spacing=plane.column_spacing,
                column_spacing=plane.row_spacing,
                height=plane.width,
                width=plane.height,
            )
        first_column = plane.width - 1 if self.reverse_columns else 0
        first_row = plane.height - 1 if self.reverse_rows else 0
        return replace(
            plane,
            position=triple(plane.to_patient(first_column, first_row)) if self != Turn() else plane.position,
            row_direction=_reversed(plane.row_direction, self.reverse_columns),
            column_direction=_reversed(plane.column_direction, self.reverse_rows),
        )


def _reversed(direction: tuple[float, float, float], reverse: bool) -> tuple[float, float, float]:
    return triple(0.0 - np.asarray(direction)) if reverse else direction


@dataclass(frozen=True)
class Stack:
    """``places`` in order along ``normal`` (unit vector): at each, the frames found there, the preferred one first."""

    places: list[list[Frame]]
    normal: FloatArray
    turn: Turn
    flags: list[str]
    dropped: dict[str, int]


def build(frames: list[Frame]) -> Stack:
    """Choose, sort and orient. Raises StackError; ``frames`` must not be empty.

    Frames are grouped by series and by orientation (direction cosines to three decimals; neighbouring values are one
    group, so that rounding cannot split a series). The group whose normal is closest to the patient's left-right axis
    wins, in classes of 5 degrees; then the one with most slices. Groups of fewer than three slices come last.
    """
    groups = _groups(frames)
    chosen = min(groups, key=lambda group: _preference(group, groups[group]))
    group = groups[chosen]
    angle = _angle_to_left_right(group[0].geometry)
    if angle > _MAX_SAGITTAL_ANGLE_DEG:
        raise StackError(
            f"is {_plane_name(group[0].geometry)}, not sagittal (its slice normal is {angle:.0f} degrees off the "
            "left-right axis); choose the sagittal series of the study"
        )
    flags, dropped = [], {}
    of_series = sum(len(other) for key, other in groups.items() if key[0] == chosen[0])
    if of_series < len(frames):
        flags.append("several_series")
        dropped["other_series"] = len(frames) - of_series
    if len(group) < of_series:
        flags.append("mixed_orientations")
        dropped["other_orientation"] = of_series - len(group)
    alike = _of_majority_shape(group)
    if len(alike) < len(group):
        flags.append("mixed_shapes")
        dropped["other_shape"] = len(group) - len(alike)
    turn = _turn(alike[0].geometry)
    normal = _normal(turn.geometry(alike[0].geometry))
    places = _places(alike, normal)
    if len(places) < len(alike):
        flags.append("duplicate_slices")
        dropped["duplicates"] = len(alike) - len(places)
    if turn != Turn():
        flags.append("reoriented")
    return Stack(places, normal, turn, flags, dropped)


def has_gaps(planes: list[SliceGeometry], normal: FloatArray) -> bool:
    """Whether the distances between neighbouring slices differ by more than a tenth of the usual one."""
    gaps = np.diff([np.dot(plane.position, normal) for plane in planes])
    return bool(np.ptp(gaps) > 0.1 * np.median(gaps))


def spacing(planes: list[SliceGeometry], normal: FloatArray) -> float:
    """Median distance in mm between the centres of neighbouring slices."""
    return float(np.median(np.diff([np.dot(plane.position, normal) for plane in planes])))


def _normal(plane: SliceGeometry) -> FloatArray:
    normal = np.cross(plane.row_direction, plane.column_direction)
    unit: FloatArray = normal / np.linalg.norm(normal)
    return unit


def _angle_to_left_right(plane: SliceGeometry) -> float:
    return float(np.degrees(np.arccos(min(1.0, abs(_normal(plane)[0])))))


def _plane_name(plane: SliceGeometry) -> str:
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(_normal(plane))))]


def _groups(frames: list[Frame]) -> dict[tuple[str, tuple[int, ...]], list[Frame]]:
    scale = 10**_ORIENTATION_DECIMALS
    rounded = defaultdict(list)
    for frame in frames:
        plane = frame.geometry
        key = tuple(round(scale * value) for value in plane.row_direction + plane.column_direction)
        rounded[frame.series_uid, key].append(frame)
    groups: dict[tuple[str, tuple[int, ...]], list[Frame]] = {}
    for series_uid, key in sorted(rounded, key=lambda item: (-len(rounded[item]), item)):
        near = (
            other for other in groups if other[0] == series_uid and max(abs(a - b) for a, b in zip(other[1], key)) <= 1
        )
        groups.setdefault(next(near, (series_uid, key)), []).extend(rounded[series_uid, key])
    return groups


def _preference(key: tuple[str, tuple[int, ...]], group: list[Frame]) -> tuple[Any, ...]:
    plane = group[0].geometry
    count = len(_places(group, _normal(plane)))
    angle = _angle_to_left_right(plane)
    return count < MIN_SLICES, angle // _ANGLE_CLASS_DEG, -count, angle, key


def _of_majority_shape(group: list[Frame]) -> list[Frame]:
    def shape(frame: Frame) -> tuple[Any, ...]:
        plane = frame.geometry
        return plane.height, plane.width, round(plane.row_spacing, 3), round(plane.column_spacing, 3)

    sizes = Counter(shape(frame) for frame in group)
    common, count = sizes.most_common(1)[0]
    if 2 * count <= len(group):
        found = ", ".join(f"{n} of {size[0]}x{size[1]}" for size, n in sorted(sizes.items()))
        raise StackError(
            f"holds slices of mixed sizes ({found}) and no size or pixel spacing has the majority; "
            "separate them into one folder each"
        )
    return [frame for frame in group if shape(frame) == common]


def _turn(plane: SliceGeometry) -> Turn:
    """The turn that brings rows closest to posterior and columns closest to inferior; none where nothing is better."""
    turns = [
        Turn(transpose, rows, columns)
        for transpose in (False, True)
        for rows in (False, True)
        for columns in (False, True)
    ]

    def fit(turn: Turn) -> float:
        turned = turn.geometry(plane)
        return round(float(turned.row_direction @ _POSTERIOR + turned.column_direction @ _INFERIOR), 6)

    return max(turns, key=fit)


def _places(frames: list[Frame], normal: FloatArray) -> list[list[Frame]]:
    """Frames sorted by their position along ``normal``, those within 0.01 mm together, in order of rank."""
    located = [(float(np.dot(frame.geometry.position, normal)), frame) for frame in frames]
    places: list[list[Frame]] = []
    start = -np.inf
    for position, frame in sorted(located, key=lambda item: item[0]):
        if position - start > SAME_POSITION_MM:
            places.append([])
            start = position
        places[-1].append(frame)
    return [sorted(place, key=lambda frame: frame.rank) for place in places]
