"""Decoded header values of an image, and what of them makes it unusable for the localizer, in words.

The scan chooses by these and the analysis reads by them. A clause names the element and its value, but quotes only what
consists of digits or is a term that DICOM defines: whatever else stands in a header may name a patient.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from pydicom import config
from pydicom.charset import decode_bytes, python_encoding
from pydicom.uid import UID

from lstv.base.arrays import FloatArray, triple
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.headers import FIELDS, OWN, Header

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGES = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
"""Enhanced MR Image Storage and Legacy Converted Enhanced MR Image Storage."""
_OTHER_OBJECTS = (
    ("1.2.840.10008.5.1.4.1.1.7", "a screenshot (secondary capture)"),
    ("1.2.840.10008.5.1.4.1.1.88", "a structured report"),
    ("1.2.840.10008.5.1.4.1.1.104", "a document (PDF or similar)"),
    ("1.2.840.10008.5.1.4.1.1.11", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "MR spectroscopy"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data, a registration or a segmentation"),
)
_MODALITIES = """
ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER
KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE
RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""
MODALITIES = frozenset(_MODALITIES.split())
"""Defined terms of Modality (0008,0060), PS3.3 C.7.3.1.1.1."""
ACQUISITION_TYPES = frozenset({"1D", "2D", "3D"})
"""Enumerated values of MR Acquisition Type (0018,0023), PS3.3 C.8.3.1."""

SPACING_MM = (0.01, 20.0)
"""Pixel spacings of MR images lie well inside; what lies outside is a mistake of unit or of the writer."""
MAX_SPACING_RATIO = 20.0
MAX_FIELD_MM = 2000.0
"""No image is larger than the scanner's table is long."""
MAX_POSITION_MM = 10_000.0
LARGEST_SIDE = 8192
"""Rows or columns of an MR image."""
TIMES_MS = (0.0, 60_000.0)
"""An echo, repetition or inversion time of 0 stands for none; longer ones than a minute do not exist."""

_TEXTS = frozenset({"study_description", "series_description", "protocol_name", "patient_id", "accession_number"})
_LISTS = frozenset({"image_type", "scanning_sequence", "sequence_variant", "scan_options"})
_TIMES = frozenset({"repetition_time", "echo_time", "inversion_time"})
_VECTORS = {"orientation": 6, "pixel_spacing": 2}
_COUNTS = frozenset({"rows", "columns", "samples", "bits_allocated", "bits_stored", "raw_data_type"})
_NAMED = ("study_description", "series_description", "protocol_name")

_IMAGE_KINDS = {
    "screen capture": {"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SNAPSHOT", "CAPTURE"},
    "localizer": {"LOCALIZER", "SCOUT", "SURVEY"},
    "reformatted": {"MPR", "REFORMATTED", "RFMT", "CPR", "CSAMPR", "MPR_THICK", "MPR_THIN", "CURVED"},
    "projection": {"PROJECTION IMAGE", "MIP", "MINIP", "MAXIMUM", "MIN_IP", "MIPIMAGE", "CSAMIP", "PROJECTION"},
    "subtraction": {"SUBTRACTION", "SUB", "SUBTRACT"},
    "map": {"ADC", "TRACEW", "TRACE", "FA", "EXP", "DIFFUSION", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2 MAP", "T2MAP",
            "T1MAP", "B0 MAP", "FF", "FAT_FRACTION", "FAT FRACTION", "WATER_FRACTION", "CSAPARALLEL", "PERFUSION",
            "R2_MAP", "R2_STAR_MAP", "T1_MAP", "T2_MAP", "T2_STAR_MAP", "FIELD_MAP", "B0_MAP", "B1_MAP"},
    "phase image": {"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY", "VELOCITY"},
    "fat image": {"F", "FAT"},
    "water image": {"W", "WATER"},
    "in-phase image": {"IP", "IN_PHASE", "INPHASE", "IN PHASE"},
    "opposed-phase image": {"OP", "OUT_PHASE", "OPP_PHASE", "OPPOSED", "OUT OF PHASE", "OUTPHASE", "OUT_OF_PHASE",
                            "OPPOSED_PHASE"},
}  # fmt: skip
"""Kind of image by Image Type (0008,0008), PS3.3 C.7.6.1.1.2, C.8.3.1.1.1 and C.8.13.3.1.1, vendors' habits."""
UNUSABLE_KINDS = {
    "screen capture": "it is a screen capture",
    "localizer": "it is a localizer",
    "reformatted": "it is reformatted from other images",
    "projection": "it is a projection of other images",
    "subtraction": "it is a subtraction of other images",
    "map": "it is a computed map or a diffusion image",
    "phase image": "it is a phase, real or imaginary image",
    "fat image": "it is the fat image of a Dixon sequence",
    "opposed-phase image": "it is the opposed-phase image of a Dixon sequence",
}
"""Kinds that the localizer does not know, each with the reason that is given."""


class Problem(NamedTuple):
    """Why an image cannot be used: ``kind`` object, colour, geometry or values; ``text`` is a clause about it."""

    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Facts:
    """Decoded values of ``headers.FIELDS``; times in ms, lengths in mm, "" or None where the header says nothing usable.

    ``unusable`` holds, by field, what stands there instead of a value that can be used: a quotation or a description.
    ``readings`` holds, by field, other ways to read a name whose character set is doubtful.
    """

    character_set: str
    image_type: tuple[str, ...]
    sop_class: str
    study_date: str
    accession_number: str
    modality: str
    manufacturer: str
    study_description: str
    series_description: str
    model: str
    complex_component: str
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
    samples: int | None
    photometric: str
    frames: int | None
    rows: int | None
    columns: int | None
    pixel_spacing: tuple[float, ...] | None
    bits_allocated: int | None
    bits_stored: int | None
    raw_data_type: int | None
    pixel_data: bool
    unusable: dict[str, str]
    decodings: dict[str, tuple[str, ...]]

    @cached_property
    def image_kind(self) -> str:
        """ "original", "derived", or what the Image Type says beyond that (a key of the table in this module)."""
        values = {value.upper() for value in self.image_type[2:]}
        # Philips writes M_SE, P_FFE, R_IR and so on
        values |= {value[0] for value in values if re.match(r"[PRI]_[A-Z]", value) and "PHASE" not in value}
        values &= set().union(*_IMAGE_KINDS.values())
        if self.complex_component in ("PHASE", "REAL", "IMAGINARY"):
            values.add(self.complex_component)
        if self.manufacturer.upper().startswith("GE") and self.raw_data_type in (1, 2, 3):
            values.add("PHASE")  # GE's 1 phase, 2 real, 3 imaginary; Image Type says nothing of it
        for kind, names in _IMAGE_KINDS.items():
            if values & names:
                return kind
        return "derived" if self.image_type[:1] == ("DERIVED",) else "original"

    @cached_property
    def axes(self) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
        """Unit vectors along a row and along a column; None without a usable orientation."""
        if self.orientation is None:
            return None
        directions = np.array(self.orientation).reshape(2, 3)
        lengths = np.linalg.norm(directions, axis=1)
        if not (abs(lengths - 1) < 0.05).all():
            return None
        row, column = directions / lengths[:, None]
        return None if abs(row @ column) > 0.05 else (triple(row), triple(column))

    @cached_property
    def normal(self) -> FloatArray | None:
        """Unit normal of the image plane, float64 (3,), patient coordinates; None without a usable orientation."""
        if self.axes is None:
            return None
        normal = np.cross(*self.axes)
        unit: FloatArray = normal / np.linalg.norm(normal)
        return unit

    @cached_property
    def problem(self) -> Problem | None:
        """What makes every image of this kind unusable."""
        return self._not_mr or self._pixel_problem or self._geometry_problem

    @property
    def _not_mr(self) -> Problem | None:
        for prefix, name in _OTHER_OBJECTS:
            if self.sop_class == prefix or self.sop_class.startswith(prefix + "."):
                return Problem("object", f"it is {name}")
        mr = self.sop_class == MR_IMAGE or self.sop_class in ENHANCED_MR_IMAGES
        stated = self.modality or "modality" in self.unusable
        if stated and self.modality != "MR":
            return Problem("object", f"its Modality is {self._said('modality')}, not MR")
        if self.sop_class and not mr:
            return Problem("object", f"it is {_object_name(self.sop_class)}, not an MR image")
        return None

    @property
    def _pixel_problem(self) -> Problem | None:
        if not self.rows or not self.columns:
            return Problem("values", "its header is cut short (Rows or Columns is missing)")
        if not self.pixel_data:
            return Problem("values", "its pixel data is missing or cut short")
        if max(self.rows, self.columns) > LARGEST_SIDE:
            return Problem("values", f"it says {self.rows} x {self.columns} pixels, more than an MR image has")
        if (self.samples or 1) != 1 or self.photometric in ("PALETTE COLOR", "RGB"):
            return Problem("colour", "it is a colour image, such as a screenshot")
        if self.bits_allocated not in (8, 16, 32):
            return Problem("values", f"its BitsAllocated is {self._said('bits_allocated')}, not 8, 16 or 32")
        if self.frames is None or self.frames < 1:
            return Problem("values", f"its NumberOfFrames is {self._said('frames')}")
        if self.frames > 1:
            return Problem("geometry", f"its functional groups describe none of {self.frames} frames")
        return None

    @property
    def _geometry_problem(self) -> Problem | None:
        if self.orientation is None or self.axes is None:
            return Problem("geometry", f"ImageOrientationPatient is {self._said('orientation')}")
        if self.pixel_spacing is None:
            return Problem("geometry", f"PixelSpacing is {self._said('pixel_spacing')}")
        low, high = sorted(self.pixel_spacing)
        size = max((self.rows or 0) * self.pixel_spacing[0], (self.columns or 0) * self.pixel_spacing[1])
        if low < SPACING_MM[0] or high > SPACING_MM[1] or high > MAX_SPACING_RATIO * low or size > MAX_FIELD_MM:
            said = "\\".join(f"{value:g}" for value in self.pixel_spacing)
            return Problem("geometry", f"PixelSpacing is {said} mm, which cannot be")
        return None

    def _said(self, field: str) -> str:
        value = getattr(self, field)
        if field in self.unusable:
            return self.unusable[field]
        if value in (None, ""):
            return "missing"
        return "\\".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _object_name(uid: str) -> str:
    name = UID(uid, config.IGNORE).name  # no warning that quotes a text in its place
    return "another kind of object" if name == uid else f"{name.removesuffix(' Storage')} (SOP class)"


@lru_cache(maxsize=8192)
def decode(shared: tuple[bytes, ...]) -> Facts:
    """Decode raw values in the order of ``headers.FIELDS``."""
    raw = dict(zip(FIELDS, shared))
    character_set = _plain(raw["character_set"])
    values: dict[str, Any] = {}
    unusable: dict[str, str] = {}
    decodings: dict[str, tuple[str, ...]] = {}
    for name, value in raw.items():
        if name in _TEXTS:
            values[name] = _text(value, character_set)
            if name in _NAMED and not value.isascii():
                decodings[name] = _other_decodings(value, values[name])
        elif name in _LISTS:
            values[name] = tuple(part.strip() for part in _plain(value).split("\\")) if value else ()
        elif name in _TIMES or name == "slice_thickness":
            values[name] = _time(value)
        elif name in _VECTORS:
            values[name] = _vector(value, _VECTORS[name])
            if value and values[name] is None:
                unusable[name] = quoted(value)
        elif name in _COUNTS or name == "frames":
            values[name] = _count(value)
            if name == "frames" and not value:
                values[name] = 1
            if value and values[name] is None:
                unusable[name] = quoted(value)
        elif name == "modality":
            values[name] = _term(value, MODALITIES)
            if value and not values[name]:
                unusable[name] = "no term that DICOM defines"
        elif name == "acquisition_type":
            values[name] = _term(value, ACQUISITION_TYPES)
        elif name == "pixel_data":
            values[name] = bool(value)
        else:
            values[name] = _plain(value)
    return Facts(**values, unusable=unusable, decodings=decodings)


def quoted(value: bytes) -> str:
    """A number-like value in quotation marks; of anything else only that it is not a number, as it may be anybody's name."""
    if re.fullmatch(rb"[0-9+\-.,eE\\ ]{1,48}", value):
        return f"'{value.decode('ascii').strip()}'"
    return "no number" if len(value) <= 48 else "no number (a long text)"


def _term(value: bytes, defined: frozenset[str]) -> str:
    text = _plain(value)
    return text if text in defined else ""


def _plain(value: bytes) -> str:
    return value.decode("ascii", "replace").strip()


def _count(value: bytes) -> int | None:
    first = value.split(b"\\")[0].strip()
    return int(first) if re.fullmatch(rb"[+-]?\d{1,10}", first) else None


def numbers(value: bytes) -> tuple[float, ...] | None:
    """The finite numbers of a decimal string, None where there are none. A comma is taken for the point that software of
    some countries writes it for; it means nothing else there."""
    try:
        found = tuple(float(part.replace(b",", b".").replace(b"_", b"?")) for part in value.split(b"\\"))
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def _vector(value: bytes, length: int) -> tuple[float, ...] | None:
    found = numbers(value)
    return found if found and len(found) == length else None


def _time(value: bytes) -> float | None:
    found = numbers(value)
    return found[0] if found and TIMES_MS[0] < found[0] <= TIMES_MS[1] else None


def _text(value: bytes, character_set: str) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip()
    names = [name.strip() for name in character_set.split("\\")]
    if character_set and all(name in python_encoding for name in names):
        try:
            # bytes that do not fit cost the readability of a name, nothing else
            return decode_bytes(value, [python_encoding[name] for name in names], set()).strip()
        except Exception:
            pass
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


_DOUBTFUL = ("utf-8", "gb18030", "windows-1251", "shift_jis", "euc_kr", "big5", "windows-1254", "iso8859-2", "koi8-r")
"""Encodings that writers use while they declare none or another one."""


def _other_decodings(value: bytes, decoded: str) -> tuple[str, ...]:
    found = []
    for encoding in _DOUBTFUL:
        try:
            text = value.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
        if text != decoded and text not in found:
            found.append(text)
    return tuple(found)


@dataclass(frozen=True, eq=False, slots=True)
class Image:
    """One image: where it is (``source``: anything that names its file), its ``frame`` there, what it shares with others
    (``facts``), its SOP Instance UID and position (mm), its rescale, and what makes it unusable.

    ``order`` ranks images at one place: the last echo (the longest, where times do not tell), the first acquisition and
    instance number, instance UID, frame.
    """

    source: Any
    frame: int
    facts: Facts
    sop_instance: str
    position: tuple[float, float, float] | None
    slope: float
    intercept: float
    order: tuple[Any, ...]
    problem: Problem | None

    @property
    def plane(self) -> SliceGeometry:
        """Where the image lies; of images without ``problem`` only."""
        facts, position = self.facts, self.position
        if position is None or facts.axes is None or facts.pixel_spacing is None or not (facts.rows and facts.columns):
            raise ValueError("an image with a problem has no plane")
        row, column = facts.axes
        between_rows, between_columns = facts.pixel_spacing
        return SliceGeometry(position, row, column, between_rows, between_columns, facts.rows, facts.columns)


_OWN = tuple(OWN.values())


def image(source: Any, header: Header) -> Image:
    """The image that a header describes."""
    facts = decode(header.shared)
    raw = dict(zip(_OWN, header.own))
    position = _position(raw["position"])
    slope, intercept = _rescale(raw["rescale_slope"], 1.0), _rescale(raw["rescale_intercept"], 0.0)
    problem = facts.problem or _own_problem(raw, position, slope, intercept)
    sop = _plain(raw["sop_instance"])
    order = (
        _rank(raw["echo_number"], last_first=True),
        _rank(raw["acquisition_number"]),
        _rank(raw["instance_number"]),
        sop,
        header.frame,
    )
    return Image(source, header.frame, facts, sop, position, slope or 1.0, intercept or 0.0, order, problem)


def _position(value: bytes) -> tuple[float, float, float] | None:
    found = numbers(value)
    return triple(found) if found and len(found) == 3 else None


@lru_cache(maxsize=4096)
def _rescale(value: bytes, default: float) -> float | None:
    if not value:
        return default
    found = numbers(value)
    return found[0] if found and abs(found[0]) <= 1e12 else None


def _own_problem(
    raw: dict[str, bytes], position: tuple[float, ...] | None, slope: float | None, intercept: float | None
) -> Problem | None:
    if position is None or max(map(abs, position)) > MAX_POSITION_MM:
        said = quoted(raw["position"]) if raw["position"] else "missing"
        return Problem("geometry", f"ImagePositionPatient is {said}" + (" mm" if position else ""))
    if not slope or abs(slope) < 1e-12:
        return Problem("values", f"its RescaleSlope is {quoted(raw['rescale_slope'])}")
    if intercept is None:
        return Problem("values", f"its RescaleIntercept is {quoted(raw['rescale_intercept'])}")
    return None


@lru_cache(maxsize=4096)
def _rank(value: bytes, *, last_first: bool = False) -> tuple[bool, float]:
    found = numbers(value)
    return (
        (False, -found[0] if last_first else found[0]) if found else (True, 0.0)
    )  # what is not stated as a number comes last
