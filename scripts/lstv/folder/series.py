"""From raw headers to series, and within a series to stacks: images of one orientation, echo and kind."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydicom.charset import decode_bytes, python_encoding

from lstv.dicom.pixels import quiet_pydicom
from lstv.folder.header import STUDY_TAGS

Source = str | tuple[str, str]
"""A file's path, or (path of a zip file, name of the member)."""

_SAME_ECHO_MS = 10.0
_SAME_PLANE_DEGREES = 10.0
_POSITION_STEP_MM = 0.1
_TEXTS = frozenset({"study_description", "series_description", "protocol_name", "patient_id", "accession_number"})
_LISTS = frozenset({"image_type", "scanning_sequence", "sequence_variant", "scan_options"})
_FLOATS = frozenset({"slice_thickness", "repetition_time", "echo_time", "inversion_time"})
_VECTORS = {"orientation": 6, "pixel_spacing": 2}

_IMAGE_KINDS = {
    "screen capture": {"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SNAPSHOT", "CAPTURE"},
    "localizer": {"LOCALIZER", "SCOUT", "SURVEY"},
    "reformatted": {"MPR", "REFORMATTED", "RFMT", "CPR", "CSAMPR", "MPR_THICK", "MPR_THIN", "CURVED"},
    "projection": {"PROJECTION IMAGE", "MIP", "MINIP", "MAXIMUM", "MIN_IP", "MIPIMAGE", "CSAMIP", "PROJECTION"},
    "subtraction": {"SUBTRACTION", "SUB", "SUBTRACT"},
    "map": {"ADC", "TRACEW", "TRACE", "FA", "EXP", "DIFFUSION", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2 MAP", "T2MAP",
            "T1MAP", "B0 MAP", "FF", "FAT_FRACTION", "FAT FRACTION", "CSAPARALLEL", "PERFUSION"},
    "phase image": {"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"},
    "fat image": {"F", "FAT"},
    "water image": {"W", "WATER"},
    "in-phase image": {"IP", "IN_PHASE", "INPHASE", "IN PHASE"},
    "opposed-phase image": {"OP", "OUT_PHASE", "OPP_PHASE", "OPPOSED", "OUT OF PHASE", "OUTPHASE"},
}  # fmt: skip
"""Kind of image by the values of Image Type (0008,0008), PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1, and vendors' habits."""


@dataclass(frozen=True)
class Facts:
    """Decoded values of ``header.STUDY_TAGS``; times in ms, lengths in mm, "" or None where the header says nothing."""

    character_set: str
    image_type: tuple[str, ...]
    sop_class: str
    study_date: str
    accession_number: str
    modality: str
    study_description: str
    series_description: str
    patient_id: str
    body_part: str
    scanning_sequence: tuple[str, ...]
    sequence_variant: tuple[str, ...]
    scan_options: tuple[str, ...]
    acquisition_type: str
    sequence_name: str
    slice_thickness: float | None
    repetition_time: float | None
    echo_time: float | None
    inversion_time: float | None
    echo_train_length: str
    protocol_name: str
    study_uid: str
    series_uid: str
    series_number: str
    orientation: tuple[float, ...] | None
    frame_of_reference: str
    frames: int
    rows: int
    columns: int
    pixel_spacing: tuple[float, ...] | None

    @cached_property
    def image_kind(self) -> str:
        """ "original", "derived", or what the Image Type says beyond that (a key of the table in this module)."""
        values = {value.upper() for value in self.image_type[2:]}
        for kind, names in _IMAGE_KINDS.items():
            if values & names:
                return kind
        return "derived" if self.image_type[:1] == ("DERIVED",) else "original"

    @cached_property
    def normal(self) -> np.ndarray | None:
        """Unit normal of the image plane, float64 (3,), patient coordinates; None without a usable orientation."""
        if self.orientation is None:
            return None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        length = float(np.linalg.norm(normal))
        return normal / length if 0.9 < length < 1.1 else None


def decode(shared: tuple[bytes, ...]) -> Facts:
    """Decode raw values in the order of ``STUDY_TAGS``; an unusable value counts as absent."""
    raw = dict(zip(STUDY_TAGS.values(), shared))
    character_set = _plain(raw["character_set"])
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _TEXTS:
            values[name] = _text(value, character_set)
        elif name in _LISTS:
            values[name] = tuple(part.strip() for part in _plain(value).split("\\")) if value else ()
        elif name in _FLOATS:
            numbers = _numbers(value)
            values[name] = numbers[0] if numbers else None
        elif name in _VECTORS:
            numbers = _numbers(value)
            values[name] = numbers if numbers and len(numbers) == _VECTORS[name] else None
        elif name in ("rows", "columns"):
            values[name] = struct.unpack("<H", value[:2])[0] if len(value) >= 2 else 0
        elif name == "frames":
            numbers = _numbers(value)
            values[name] = int(numbers[0]) if numbers else 1
        else:
            values[name] = _plain(value)
    return Facts(**values)


def _plain(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()


def _numbers(value: bytes) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in value.split(b"\\"))
    except ValueError:
        return None
    return numbers if all(np.isfinite(numbers)) else None


def _text(value: bytes, character_set: str) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip()
    names = [name.strip() for name in character_set.split("\\")]
    if character_set and all(name in python_encoding for name in names):
        with quiet_pydicom():  # bytes that do not fit cost the readability of a name, nothing else
            return decode_bytes(value, [python_encoding[name] for name in names], set()).strip()
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


@dataclass(frozen=True)
class File:
    """One image (of a multi-frame file one frame): where it is, its SOP Instance UID, its Image Position (Patient) in mm."""

    source: Source
    sop_instance: str
    position: tuple[float, float, float] | None


@dataclass
class Stack:
    """Images of one series that belong together; ``facts`` are those of its first file."""

    facts: Facts
    files: list[File]

    @property
    def sources(self) -> list[Source]:
        """Where the images are, each file once."""
        return list(dict.fromkeys(file.source for file in self.files))

    @cached_property
    def offsets(self) -> np.ndarray:
        """Position of each file along the normal, float64 (n,), in mm; empty without geometry."""
        positions = self._positions
        return positions @ self.facts.normal if len(positions) else np.empty(0)

    @property
    def n_slices(self) -> int:
        """Number of distinct slice positions (of files where the header has no geometry)."""
        if not len(self._positions):
            return len(self.files)
        return len(set(np.round(self.offsets / _POSITION_STEP_MM).astype(np.int64).tolist()))

    @property
    def height(self) -> float | None:
        """Field of view along the body axis in mm: the side of the image that runs nearer to z."""
        facts = self.facts
        if facts.orientation is None or facts.pixel_spacing is None or not facts.rows:
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
        flat = positions - self.offsets[:, None] * self.facts.normal
        return float(np.linalg.norm(flat.max(axis=0) - flat.min(axis=0)))

    @cached_property
    def _positions(self) -> np.ndarray:
        if self.facts.normal is None or any(file.position is None for file in self.files):
            return np.empty((0, 3))
        return np.array([file.position for file in self.files], dtype=np.float64)

    @property
    def _sides(self) -> tuple[tuple[float, ...], ...]:
        """(x, y, z of the direction, length in mm) of the image's two sides."""
        facts = self.facts
        assert facts.orientation is not None and facts.pixel_spacing is not None, "a stack to choose has both"
        row, column = facts.orientation[:3], facts.orientation[3:]
        return (*row, facts.columns * facts.pixel_spacing[1]), (*column, facts.rows * facts.pixel_spacing[0])


@dataclass
class Series:
    """All files of one SeriesInstanceUID, sorted into stacks (largest first)."""

    uid: str
    stacks: list[Stack]
    n_duplicates: int
    patients: frozenset[str]

    @property
    def n_files(self) -> int:
        return len({file.source for stack in self.stacks for file in stack.files})


@dataclass
class Study:
    """All series of one StudyInstanceUID, by series UID."""

    uid: str
    series: dict[str, Series]

    @property
    def facts(self) -> Facts:
        return next(iter(self.series.values())).stacks[0].facts


def uid_order(uid: str) -> tuple:
    """Sort key that compares the components of a UID as numbers, so that 1.2.9 comes before 1.2.10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in uid.split("."))


def build_studies(found: Mapping[tuple[bytes, ...], Iterable[tuple[Source, bytes, bytes]]]) -> list[Study]:
    """Sort scanned files (header -> its files) into studies, in the order of their UIDs.

    A file met twice (same SOP Instance UID in one series) counts once: unzipped before zipped, then by path.
    """
    grouped: dict[str, dict[str, list[tuple[Facts, list[File]]]]] = {}
    for shared in sorted(found):
        facts = decode(shared)
        files = [File(source, _plain(sop), _numbers_of(position)) for source, sop, position in found[shared]]
        grouped.setdefault(facts.study_uid, {}).setdefault(facts.series_uid, []).append((facts, files))
    return [
        Study(uid, {series: _series(series, parts[series]) for series in sorted(parts, key=uid_order)})
        for uid, parts in sorted(grouped.items(), key=lambda item: uid_order(item[0]))
    ]


def _numbers_of(position: bytes) -> tuple[float, float, float] | None:
    numbers = _numbers(position)
    return numbers if numbers and len(numbers) == 3 else None


def source_order(source: Source) -> tuple:
    """Sort key: files before members of zip files, then by name."""
    return (0, source, "") if isinstance(source, str) else (1, *source)


def _series(uid: str, parts: list[tuple[Facts, list[File]]]) -> Series:
    entries = [(source_order(file.source), index, file) for index, (_, files) in enumerate(parts) for file in files]
    entries.sort(key=lambda entry: entry[0])
    seen: set[str] = set()
    kept: dict[int, list[File]] = {}
    for _, index, file in entries:
        if file.sop_instance and file.sop_instance in seen:
            continue
        seen.add(file.sop_instance)
        kept.setdefault(index, []).append(file)
    stacks: list[Stack] = []
    for index in sorted(kept):
        facts = parts[index][0]
        stack = next((stack for stack in stacks if _belongs(facts, stack.facts)), None)
        if stack is None:
            stacks.append(Stack(facts, kept[index]))
        else:
            stack.files.extend(kept[index])
    for stack in stacks:
        stack.files.sort(key=lambda file: source_order(file.source))
    stacks.sort(key=lambda stack: (-len(stack.files), source_order(stack.files[0].source)))
    n_kept = sum(len(files) for files in kept.values())
    patients = Counter(facts.patient_id for facts, _ in parts)
    return Series(uid, stacks, len(entries) - n_kept, frozenset(patients))


def _belongs(facts: Facts, other: Facts) -> bool:
    if (facts.sop_class, facts.modality, facts.image_kind) != (other.sop_class, other.modality, other.image_kind):
        return False
    if facts.echo_time is None or other.echo_time is None:
        if facts.echo_time != other.echo_time:
            return False
    elif abs(facts.echo_time - other.echo_time) > _SAME_ECHO_MS:
        return False
    if facts.normal is None or other.normal is None:
        return facts.normal is None and other.normal is None
    cosine = float(np.clip(abs(facts.normal @ other.normal), 0.0, 1.0))
    return bool(np.degrees(np.arccos(cosine)) <= _SAME_PLANE_DEGREES)
