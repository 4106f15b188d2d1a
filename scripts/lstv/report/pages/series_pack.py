"""A whole series as a script that a page can load where there is no server: ``lstv.series({...})``.

A page opened from a folder may load scripts, but not fetch data. The script holds the slices of the stack that is analysed,
read by the project's one DICOM reader at full resolution, as 8-bit grey JPEG (lossy: for looking, not for measuring), and
the numbers needed to show them. It has no patient data beyond the pixels and no text from a DICOM header, nothing is drawn
into the pixels, and the same series gives the same bytes.

The object's keys (``FORMAT``): ``format``; ``name``, by which the page asks for it; ``width`` and ``height`` in pixels;
``spacing_mm`` with ``row``, ``column`` and ``slice`` (null where distances are unequal); ``letters``, the patient's
directions at the edges ``left``, ``right``, ``top``, ``bottom``, and at the ``first`` and ``last`` slice; ``centre``, the
index of the centre slice; ``offsets_mm`` of the slices from it, along the normal; ``window`` with ``low`` and ``high``, the
(rescaled) stored values that became 0 and 255, ``percentiles``, which they are of the whole stack, and ``white``, the 8-bit
value shown as white at first; ``type`` and ``frames``, their media type and the slices in base64. Of a series that cannot be
shown: ``format``, ``name``, ``reason``.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lstv.base import atomic
from lstv.base.arrays import ByteArray
from lstv.base.errors import StudyError
from lstv.base.text import printable
from lstv.cohort.study_sheet import Row
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.intensities import TRAINED_PERCENTILES
from lstv.dicom.series import SagittalVolume, read_volume
from lstv.report import brightness
from lstv.report.directions import edge_letters, end_letters

FORMAT = 2
MEDIA_TYPE = "image/jpeg"
"""On real series as good as WebP of quality 62 by PSNR and SSIM, half as many bytes again, a fifteenth of the time."""
QUALITY = 50
"""Of JPEG, 1 to 95: about 140 kB for 17 slices of 384 x 384 pixels."""
_LARGEST = 16383
"""Pixels along a side; browsers have limits of about this size."""


def read_series(row: Row) -> SagittalVolume:
    """The chosen stack of a study of the sheet, sorted and turned as the ``trained`` preprocessing has it.

    Raises StudyError with one sentence where it cannot be read; the sentence names no file of a patient.
    """
    if not row.series_dir:
        raise StudyError(row.reason or "the study sheet names no folder for this study")
    counted = int(row.n_slices) if row.series_dir.endswith(".txt") and row.n_slices.isdecimal() else None
    try:
        return read_volume(Path(row.series_dir), n_slices=counted)
    except StudyError as error:
        raise StudyError(without_file_names(str(error), Path(row.series_dir))) from error
    except MemoryError as error:
        raise StudyError("decoding its images needs more memory than there is") from error


def without_file_names(reason: str, folder: Path) -> str:
    """The reason with "a file" in place of the names of the folder's files, which may be called like a patient."""
    names: list[str] = []
    with suppress(OSError):
        names = sorted(map(printable, os.listdir(folder)), key=len, reverse=True)
    for name in names:
        reason = reason.replace(name, "a file")
    return printable(reason)


def of_volume(series: SagittalVolume) -> dict[str, Any]:
    """The object of a series, but for its name. Raises StudyError where its slices are too large for a picture."""
    low, high = series.provenance["intensity_window"]
    first = series.slices[0]
    return {
        "format": FORMAT,
        "width": first.width,
        "height": first.height,
        "spacing_mm": {
            "row": round(first.row_spacing, 6),
            "column": round(first.column_spacing, 6),
            "slice": _rounded(series.provenance["slice_spacing_mm"]),
        },
        "letters": {**edge_letters(first), **end_letters(series.slices)},
        "centre": series.centre,
        "offsets_mm": _offsets(series.slices, series.centre),
        "window": {
            "low": low,
            "high": high,
            "percentiles": list(TRAINED_PERCENTILES),
            "white": round(brightness.white(series.volume[series.centre])),
        },
        "type": MEDIA_TYPE,
        "frames": [base64.b64encode(_jpeg(image)).decode("ascii") for image in series.volume],
    }


def unreadable(reason: str) -> dict[str, Any]:
    """The object of a series that cannot be shown, with the reason as one sentence."""
    return {"format": FORMAT, "reason": reason}


def of_study(row: Row) -> dict[str, Any]:
    """The object of a study's series; one that cannot be read gives its reason."""
    try:
        return of_volume(read_series(row))
    except StudyError as error:
        return unreadable(str(error))


def script(pack: dict[str, Any], name: str) -> bytes:
    """The text of the script, ASCII; ``name`` is what the page asks for, and need not be the study's id."""
    text = json.dumps({**pack, "name": name}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"lstv.series({text.replace('<', chr(92) + 'u003c')});\n".encode("ascii")


def write(path: Path, pack: dict[str, Any], name: str) -> None:
    """Write the script, atomically."""
    atomic.write_bytes(path, script(pack, name))


def _jpeg(image: ByteArray) -> bytes:
    height, width = image.shape
    if max(height, width) > _LARGEST:
        raise StudyError(f"its slices of {width} x {height} pixels are too large to be shown in a page.")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def _offsets(slices: Sequence[SliceGeometry], centre: int) -> list[float]:
    normal = np.cross(slices[centre].row_direction, slices[centre].column_direction)
    if np.dot(normal, np.subtract(slices[-1].position, slices[0].position)) < 0:
        normal = -normal
    away = [float(np.dot(normal, np.subtract(plane.position, slices[centre].position))) for plane in slices]
    return [round(value, 2) + 0.0 for value in away]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
