"""One study's series on disk -> the small images that the network sees. Runs in worker processes: no torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lstv.base.arrays import ByteArray
from lstv.base.errors import StudyError
from lstv.base.levels import GRID
from lstv.base.text import printable
from lstv.cohort.study_sheet import Row
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.series import SagittalVolume, read_volume
from lstv.localizer.centroids import centroid_file, read_centroids
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.patches import DiscTargets, shifted, targets
from lstv.localizer.strips import kept_slices, shrunken

_IDENTIFYING = ("series_uid", "unreadable_files")
"""Provenance that leads back to the images of a patient."""

_LARGE_FROM_MM = 260.0
"""No lower field is large (``field.LARGE``): lumbar discs of adults are more than 26 mm apart."""


@dataclass(frozen=True)
class Prepared:
    """A study ready for the network: ``images`` uint8 (1 + n + m, 160, 160), the centre slice first, then the n neighbours
    at ``offsets``, then the m patches at ``targets.found``; ``slices`` what its strip is cut from
    (``strips.kept_slices``); ``wide`` the centre slice and the n neighbours in the same resolution, where the field may be
    read a second time (``field``), else None."""

    study_id: str
    series_id: str
    images: ByteArray
    offsets: tuple[int, ...]
    geometry: SliceGeometry
    flags: tuple[str, ...]
    provenance: dict[str, Any]
    slices: ByteArray
    targets: DiscTargets | None = None
    wide: ByteArray | None = None


def prepare(
    row: Row,
    preprocessing: str,
    offsets: tuple[int, ...],
    phantoms_only: bool,
    without_uids: bool,
    centroids: Path | None = None,
    lumbar: bool = False,
) -> Prepared | NotAnalysed:
    """Read and resize one study of the sheet; what goes wrong becomes its status and reason, never an exception.

    Slices are resized to 160 x 160 with OpenCV's bilinear interpolation without antialiasing, aspect ratio not kept, as
    the point net was trained. Neighbours outside the stack are left out. ``centroids`` is the folder of vertebra centroid
    files, if there is one; a study without a usable file is prepared without patches, and its ``places`` say why.
    ``lumbar``: a large field is to be read a second time, cut to the lumbar spine.
    """
    if row.use != "yes":
        return NotAnalysed(row.study_id, "excluded", row.reason, row.series_id)
    try:
        if not row.series_dir:
            raise StudyError(row.reason or "the study sheet names no folder for this study")
        # of a folder nobody knows what the number in a sheet counts; a series list is the scan's own
        counted = int(row.n_slices) if row.series_dir.endswith(".txt") and row.n_slices.isdecimal() else None
        series = read_volume(Path(row.series_dir), preprocessing=preprocessing, n_slices=counted)
        if phantoms_only and not series.phantom:
            raise StudyError(
                "the demo's localizer knows synthetic phantoms only and is refused for real images; "
                "use the published point net"
            )
        prepared = of_series(row, series, offsets, _IDENTIFYING if without_uids else (), lumbar)
        return prepared if centroids is None else _with_patches(prepared, series, Path(centroids))
    except StudyError as error:
        return failed(row, str(error))
    except MemoryError:
        return failed(row, "decoding its images needs more memory than a study may take")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # a defect met by one study must not take the others with it (a panic of a decoder in Rust is no Exception); its
        # type tells us where. The words of a library may hold a UID or a path, which names the user's home and perhaps a
        # patient.
        said = "" if without_uids or "/" in str(error) else f": {error}"
        return failed(row, f"unexpected {type(error).__name__}{said}")


def failed(row: Row, reason: str) -> NotAnalysed:
    """A study that cannot be analysed; the reason is made fit for files and terminals."""
    return NotAnalysed(row.study_id, "failed", printable(reason), row.series_id)


def of_series(
    row: Row, series: SagittalVolume, offsets: tuple[int, ...], hidden: tuple[str, ...] = (), lumbar: bool = False
) -> Prepared:
    """A series that was read, ready for the network; ``hidden`` provenance is left out, ``lumbar`` as in ``prepare``. Raises
    StudyError where the centre slice is blank."""
    depth, centre = len(series.volume), series.centre
    present = tuple(offset for offset in offsets if 0 <= centre + offset < depth)
    slices = [series.volume[centre + offset] for offset in (0, *present)]
    images = np.stack([resized(image) for image in slices])
    if images[0].min() == images[0].max():
        raise StudyError("the centre slice is blank (all pixels alike); check the export of this series")
    known = {**series.provenance, "centre_slice": centre}
    provenance = {key: value for key, value in known.items() if key not in hidden}
    plane = series.slices[centre]
    wide = shrunken(np.stack(slices)) if lumbar and plane.row_spacing * plane.height > _LARGE_FROM_MM else None
    kept = kept_slices(series)
    return Prepared(row.study_id, row.series_id, images, present, plane, series.flags, provenance, kept, wide=wide)


def resized(image: ByteArray) -> ByteArray:
    """A slice (H, W) as the network sees it, (160, 160)."""
    return cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _with_patches(prepared: Prepared, series: SagittalVolume, folder: Path) -> Prepared:
    given = _places(centroid_file(folder, prepared.study_id), series)
    patches = [
        shifted(resized(series.volume[series.centre + target.slice]), target.shift) for target in given.found.values()
    ]
    return replace(
        prepared, images=np.concatenate([prepared.images, *(patch[None] for patch in patches)]), targets=given
    )


def _places(path: Path, series: SagittalVolume) -> DiscTargets:
    if not path.is_file():
        return DiscTargets("no_file")
    try:
        return targets(read_centroids(path), series.slices, series.centre)
    except StudyError as error:
        return DiscTargets("refused", str(error))
