"""THE definition of a stack: which images belong together, which of them show one place, which stack of a folder is used.

The scan of a folder and the analysis both sort images here, so that what is counted and chosen is what is analysed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lstv.base.arrays import FloatArray, StoredArray, triple
from lstv.dicom.facts import UNUSABLE_KINDS, Facts, Image, Problem
from lstv.dicom.geometry import SliceGeometry

MIN_SLICES = 3
"""Fewer slices are not a stack: there is no centre slice with a neighbour on either side."""
SAME_DIRECTION = 0.01
"""Directions of rows and columns of one stack differ by at most this in each component: half a degree."""
SAME_ECHO = (1.0, 0.05)
"""Echo times are one where neighbours in order differ by at most 1 ms or this share."""
SAME_SPACING = 0.01
"""Pixel spacings of one stack differ by at most this share."""
SAME_PLACE_MM = 0.1
SAME_PLACE_SHARE = 0.1
"""Two images are of one place when nearer than 0.1 mm, or than a tenth of the usual distance of slices."""
MAX_LENGTH_MM = 1000.0
"""From the first to the last slice of a sagittal stack; a longer one has impossible positions."""
MAX_SAGITTAL_ANGLE_DEG = 45.0
T2_ECHO_MS, T2_REPETITION_MS = 60.0, 900.0
"""A spin echo with at least these times is T2-weighted."""
_ANGLE_CLASS_DEG = 5.0
_POSTERIOR = np.array([0.0, 1.0, 0.0])
_INFERIOR = np.array([0.0, 0.0, -1.0])


class StackError(Exception):
    """The images do not make a sagittal stack; the text is a clause that says why and what to do."""


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


def turn_of(plane: SliceGeometry) -> Turn:
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


# --- which images belong together -------------------------------------------------------------------------------------


@dataclass(eq=False)
class Stack:
    """Images of one series, kind, echo, size and orientation; ``facts`` are those of its first image. ``problem``: why
    none of them can be used, or None."""

    facts: Facts
    images: list[Image]
    problem: Problem | None = None

    @property
    def sources(self) -> list[Any]:
        """Where the images are, each file once."""
        return list(dict.fromkeys(image.source for image in self.images))

    @cached_property
    def offsets(self) -> FloatArray:
        """Position of each image along the normal, float64 (n,), in mm; empty without geometry."""
        return self._positions @ np.asarray(self.facts.normal) if len(self._positions) else np.empty(0)

    @cached_property
    def n_slices(self) -> int:
        """Number of distinct slice positions (of images where the header has no geometry)."""
        return len(slice_positions(self.offsets)) if len(self.offsets) else len(self.images)

    @property
    def height(self) -> float | None:
        """Field of view along the body axis in mm: the side of the image that runs nearer to z."""
        if not self._sides:
            return None
        return max(self._sides, key=lambda side: abs(side[2]))[3]

    @property
    def centre_z(self) -> float | None:
        """z of the middle of the stack, mm; comparable only within one frame of reference."""
        if self.height is None or not len(self._positions):
            return None
        return float(self._positions[:, 2].mean()) + sum(0.5 * side[2] * side[3] for side in self._sides)

    @property
    def in_plane_spread(self) -> float:
        """Largest distance in mm of two slices' corners measured within the plane: 0 for a plain stack."""
        positions = self._positions
        if not len(positions):
            return 0.0
        flat = positions - self.offsets[:, None] * np.asarray(self.facts.normal)
        return float(np.linalg.norm(flat.max(axis=0) - flat.min(axis=0)))

    @property
    def length(self) -> float:
        """mm from the first slice to the last."""
        return float(np.ptp(self.offsets)) if len(self.offsets) else 0.0

    @cached_property
    def angle(self) -> float:
        """Degrees between the normal and the patient's left-right axis; 90 without a normal."""
        if self.facts.normal is None:
            return 90.0
        return float(np.degrees(np.arccos(min(1.0, abs(self.facts.normal[0])))))

    @cached_property
    def _positions(self) -> FloatArray:
        if self.facts.normal is None or any(image.position is None for image in self.images):
            return np.empty((0, 3))
        return np.array([image.position for image in self.images], dtype=np.float64)

    @cached_property
    def _sides(self) -> tuple[tuple[float, ...], ...]:
        """(x, y, z of the direction, length in mm) of the image's two sides."""
        facts = self.facts
        if self.problem is not None or facts.axes is None or facts.pixel_spacing is None:
            return ()
        row, column = facts.axes
        width, height = (facts.columns or 0) * facts.pixel_spacing[1], (facts.rows or 0) * facts.pixel_spacing[0]
        return (*row, width), (*column, height)


def split(images: Iterable[Image]) -> list[Stack]:
    """Sort the images of ONE series into stacks, largest first; the order of the images within a stack is kept.

    Images are together that share SOP class, Modality, kind (magnitude, phase, water, fat ...), echo time, size, pixel
    spacing and orientation, each within the tolerances of this module. Images with one and the same problem make a stack
    of their own. The result does not depend on the order of the images.
    """
    alike: dict[tuple[int, Problem | None], list[tuple[int, Image]]] = defaultdict(list)
    facts_of: dict[int, Facts] = {}
    for number, image in enumerate(images):
        facts_of[id(image.facts)] = image.facts
        alike[id(image.facts), image.problem].append((number, image))
    echoes = _echoes(facts.echo_time for facts in facts_of.values())
    groups = sorted(alike.items(), key=lambda item: (-len(item[1]), _sort_key(facts_of[item[0][0]])))
    stacks: list[tuple[Facts, Problem | None, list[tuple[int, Image]]]] = []
    for (key, problem), members in groups:
        facts = facts_of[key]
        found = next((s for s in stacks if s[1] == problem and _together(facts, s[0], problem, echoes)), None)
        if found is None:
            stacks.append((facts, problem, list(members)))
        else:
            found[2].extend(members)
    made = []
    for _, problem, members in stacks:
        members.sort(key=lambda member: member[0])
        ordered = [image for _, image in members]
        made.append((members[0][0], Stack(ordered[0].facts, ordered, problem)))
    made.sort(key=lambda item: (item[1].problem is not None, -len(item[1].images), _sort_key(item[1].facts), item[0]))
    return [stack for _, stack in made]


def _sort_key(facts: Facts) -> tuple[Any, ...]:
    """An order of kinds of images that says nothing about files."""
    return (
        facts.sop_class,
        facts.modality,
        facts.image_kind,
        facts.echo_time or 0.0,
        facts.orientation or (),
        facts.pixel_spacing or (),
        facts.rows or 0,
        facts.columns or 0,
    )


def _echoes(times: Iterable[float | None]) -> dict[float | None, int]:
    """A number for each echo time; near ones get the same."""
    numbers: dict[float | None, int] = {None: -1}
    last = None
    for time in sorted({time for time in times if time is not None}):
        near = last is not None and time - last <= max(SAME_ECHO[0], SAME_ECHO[1] * time)
        numbers[time] = numbers[last] if near else len(numbers)
        last = time
    return numbers


def _together(facts: Facts, other: Facts, problem: Problem | None, echoes: dict[float | None, int]) -> bool:
    if (facts.sop_class, facts.modality, facts.image_kind) != (other.sop_class, other.modality, other.image_kind):
        return False
    if problem is not None:
        return True
    if echoes[facts.echo_time] != echoes[other.echo_time] or (facts.rows, facts.columns) != (other.rows, other.columns):
        return False
    spacing, reference = np.array(facts.pixel_spacing), np.array(other.pixel_spacing)
    if (abs(spacing - reference) > SAME_SPACING * reference).any():
        return False
    return bool(np.abs(np.array(facts.axes) - np.array(other.axes)).max() <= SAME_DIRECTION)


def slice_positions(offsets: Sequence[float] | FloatArray) -> list[list[int]]:
    """Indices of positions along the normal (mm), those of one place together, in ascending order of position."""
    offsets = np.asarray(offsets, dtype=np.float64)
    order = np.argsort(offsets, kind="stable")
    tolerance = SAME_PLACE_MM
    gaps = np.diff(offsets[order])
    gaps = gaps[gaps > SAME_PLACE_MM]
    if len(gaps):
        # of slices stored twice a little apart, half of the distances are small ones
        tolerance = max(tolerance, SAME_PLACE_SHARE * float(np.percentile(gaps, 75, method="lower")))
    found: list[list[int]] = []
    start = -np.inf
    for index in order.tolist():
        if offsets[index] - start > tolerance:
            found.append([])
            start = offsets[index]
        found[-1].append(index)
    return found


# --- which stack of a folder is used ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """A stack in order: ``places`` from first to last slice along ``normal``, each with the images of that place, best
    first; ``turn`` brings them to the usual orientation; ``flags`` say what was found beside it."""

    slice_positions: list[list[Image]]
    normal: FloatArray
    turn: Turn
    flags: list[str]
    dropped: dict[str, int]


def build(images: list[Image]) -> Chosen:
    """Choose, order and turn one stack of a folder's images, all of them without ``problem``.

    Stacks of fewer than three slices come last; then the normal closest to the patient's left-right axis wins, in classes
    of 5 degrees; then an image that the localizer knows over a phase, fat or computed one; then T2-weighted times over
    unknown and over others; then most slices. Raises StackError.
    """
    by_series: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        by_series[image.facts.series_uid].append(image)
    stacks = [stack for uid in sorted(by_series) for stack in split(by_series[uid])]
    best = min(stacks, key=_preference)
    if best.angle > MAX_SAGITTAL_ANGLE_DEG:
        raise StackError(
            f"is {_plane_name(best.facts)}, not sagittal (its slice normal is {best.angle:.0f} degrees off the left-right "
            "axis); choose the sagittal series of the study"
        )
    if best.length > MAX_LENGTH_MM:
        raise StackError(
            f"has positions (ImagePositionPatient) that cannot be: its slices are {best.length:.0f} mm apart in all; export "
            "it again"
        )
    of_series = [stack for stack in stacks if stack.facts.series_uid == best.facts.series_uid]
    flags, dropped = _beside(best, of_series, len(images))
    normal_turn = turn_of(best.images[0].plane)
    plane = normal_turn.geometry(best.images[0].plane)
    normal = np.cross(plane.row_direction, plane.column_direction)
    normal /= np.linalg.norm(normal)
    found = slice_positions([float(np.dot(image.plane.position, normal)) for image in best.images])
    ordered = [
        sorted((best.images[i] for i in slice_position), key=lambda image: image.order) for slice_position in found
    ]
    if len(found) < len(best.images):
        flags.append("duplicate_slices")
        dropped["duplicates"] = len(best.images) - len(found)
    if normal_turn != Turn():
        flags.append("reoriented")
    return Chosen(ordered, normal, normal_turn, flags, dropped)


def _preference(stack: Stack) -> tuple[Any, ...]:
    facts = stack.facts
    echo, repetition = facts.echo_time, facts.repetition_time
    if echo is None:
        weighting = 1
    else:
        weighting = 0 if echo >= T2_ECHO_MS and (repetition is None or repetition >= T2_REPETITION_MS) else 2
    key = (facts.series_uid, _sort_key(facts))
    unknown_kind = facts.image_kind in UNUSABLE_KINDS
    few = stack.n_slices < MIN_SLICES
    return few, stack.angle // _ANGLE_CLASS_DEG, unknown_kind, weighting, -stack.n_slices, stack.angle, key


def _beside(best: Stack, of_series: list[Stack], total: int) -> tuple[list[str], dict[str, int]]:
    """Flags and counts of the images that are not of the chosen stack."""
    flags, dropped = [], {}
    inside = sum(len(stack.images) for stack in of_series)
    if inside < total:
        flags.append("several_series")
        dropped["other_series"] = total - inside
    counts: Counter[str] = Counter()
    for stack in of_series:
        if stack is not best:
            counts[difference(stack, best)] += len(stack.images)
    same_shape = counts["other_shape"]
    if same_shape >= len(best.images):
        sizes = Counter({_size(best): len(best.images)})
        for stack in of_series:
            if stack is not best and difference(stack, best) == "other_shape":
                sizes[_size(stack)] += len(stack.images)
        found = ", ".join(f"{n} of {size}" for size, n in sorted(sizes.items()))
        raise StackError(
            f"holds slices of mixed sizes ({found}) and no size or pixel spacing has the majority; "
            "separate them into one folder each"
        )
    for name, flag in _FLAG_OF.items():
        if counts[name]:
            flags.append(flag)
            dropped[name] = counts[name]
    return flags, dropped


_FLAG_OF = {
    "other_orientation": "mixed_orientations",
    "other_shape": "mixed_shapes",
    "other_echo": "mixed_echoes",
    "other_kind": "mixed_kinds",
}


def difference(stack: Stack, best: Stack) -> str:
    """In what a stack without ``problem`` differs from another of its series: a key of the table above."""
    facts, other = stack.facts, best.facts
    if np.abs(np.array(facts.axes) - np.array(other.axes)).max() > SAME_DIRECTION:
        return "other_orientation"
    if (facts.sop_class, facts.modality, facts.image_kind) != (other.sop_class, other.modality, other.image_kind):
        return "other_kind"
    if (facts.rows, facts.columns) != (other.rows, other.columns) or facts.echo_time == other.echo_time:
        return "other_shape"
    spacing, reference = np.array(facts.pixel_spacing), np.array(other.pixel_spacing)
    return "other_shape" if (abs(spacing - reference) > SAME_SPACING * reference).any() else "other_echo"


def _size(stack: Stack) -> str:
    return f"{stack.facts.rows}x{stack.facts.columns}"


def has_gaps(planes: list[SliceGeometry], normal: FloatArray) -> bool:
    """Whether the distances between neighbouring slices differ by more than a tenth of the usual one."""
    gaps = np.diff([np.dot(plane.position, normal) for plane in planes])
    return bool(np.ptp(gaps) > 0.1 * np.median(gaps))


def spacing(planes: list[SliceGeometry], normal: FloatArray) -> float:
    """Median distance in mm between the centres of neighbouring slices."""
    return float(np.median(np.diff([np.dot(plane.position, normal) for plane in planes])))


def _plane_name(facts: Facts) -> str:
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(np.asarray(facts.normal))))]
