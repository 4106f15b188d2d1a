"""One study's series on disk -> the small images that the network sees. Runs in worker processes: no torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lstv.cohort import Row
from lstv.dicom import Series, read_series
from lstv.errors import StudyError
from lstv.geometry import SliceGeometry
from lstv.levels import GRID


_IDENTIFYING = ("series_uid", "unreadable_files")
"""Provenance that leads back to the images of a patient."""


@dataclass(frozen=True)
class Prepared:
    """A study ready for the network: ``images`` uint8 (1 + n, 160, 160), the centre slice first, then the neighbours at
    ``offsets``; or ``status`` excluded or failed with its reason."""

    study_id: str
    series_id: str
    status: str
    reason: str = ""
    images: np.ndarray | None = None
    offsets: tuple[int, ...] = ()
    geometry: SliceGeometry | None = None
    flags: tuple[str, ...] = ()
    provenance: dict | None = None


def prepare(
    row: Row, preprocessing: str, offsets: tuple[int, ...], phantoms_only: bool, without_uids: bool
) -> Prepared:
    """Read and resize one study of the sheet; what goes wrong becomes its status and reason, never an exception.

    Slices are resized to 160 x 160 with OpenCV's bilinear interpolation without antialiasing, aspect ratio not kept, as
    the point net was trained. Neighbours outside the stack are left out.
    """
    if row.use != "yes":
        return Prepared(row.study_id, row.series_id, "excluded", row.reason)
    try:
        if not row.series_dir:
            raise StudyError(row.reason or "the study sheet names no folder for this study")
        series = read_series(Path(row.series_dir), preprocessing=preprocessing)
        if phantoms_only and not series.phantom:
            raise StudyError(
                "the demo's localizer knows synthetic phantoms only and is refused for real images; "
                "set localizer.checkpoint to the published point net"
            )
        return _images(row, series, offsets, _IDENTIFYING if without_uids else ())
    except StudyError as error:
        return Prepared(row.study_id, row.series_id, "failed", str(error))
    except Exception as error:  # a defect met by one study must not take the others with it; its type tells us where
        return Prepared(row.study_id, row.series_id, "failed", f"unexpected {type(error).__name__}: {error}")


def _images(row: Row, series: Series, offsets: tuple[int, ...], hidden: tuple[str, ...]) -> Prepared:
    depth, centre = len(series.volume), series.centre
    present = tuple(offset for offset in offsets if 0 <= centre + offset < depth)
    slices = [series.volume[centre + offset] for offset in (0, *present)]
    images = np.stack([cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_LINEAR) for image in slices])
    if images[0].min() == images[0].max():
        raise StudyError("the centre slice is blank (all pixels alike); check the export of this series")
    known = {**series.provenance, "centre_slice": centre}
    provenance = {key: value for key, value in known.items() if key not in hidden}
    return Prepared(
        row.study_id, row.series_id, "ok", "", images, present, series.slices[centre], series.flags, provenance
    )
