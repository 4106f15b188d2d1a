"""A folder of DICOM files -> one sagittal volume with its intensities, its place in the patient and its provenance.

``trained`` preprocessing follows what the point net was trained with: slices grouped by orientation, sorted along the
slice normal, the stack clipped to its 0.1 and 99.9 percentiles and scaled to 8 bits. ``reference`` follows the reference
implementation: natural order of file names, stored values, minimum to maximum; nothing is chosen, sorted or turned.

No name, id, date or other data of the patient is read; errors and provenance hold paths, file names and UIDs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natsort import natsort_keygen, natsorted

from lstv.base.arrays import ByteArray, StoredArray
from lstv.base.errors import StudyError
from lstv.base.private_files import read_list
from lstv.dicom import headers, intensities, stacks
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.headers import Frame, Scan
from lstv.dicom.pixels import PixelError, quiet_pydicom
from lstv.dicom.stacks import MIN_SLICES, Turn

PHANTOM_MODEL = "lstv-uncertainty phantom"
"""ManufacturerModelName of every synthetic file of this project."""

PREPROCESSING_VERSION = 1
"""Raised when the same files would give another volume."""

FLAGS = {
    "colour_images": "colour images beside the slices were left out",
    "duplicate_slices": "several images at one position; the first by echo, acquisition and instance number was used",
    "missing_geometry": "images without position, orientation or pixel spacing were left out",
    "missing_slices": "distances between slices are unequal, slices may be missing",
    "mixed_orientations": "the series holds several orientations; the most sagittal one was used",
    "mixed_shapes": "slices of another size or pixel spacing than the majority were left out",
    "monochrome1": "bright and dark were stored inverted and were turned back",
    "reoriented": "slices were stored turned or mirrored; rows now run to posterior and columns to inferior",
    "several_series": "the folder holds several series; the most sagittal one with most slices was used",
    "unreadable_files": "damaged files were left out",
}
"""What each flag of a series says."""


@dataclass(frozen=True)
class Series:
    """One stack of slices.

    ``volume`` uint8 (D, H, W); ``slices`` the plane of each, in the same order (``trained``: along the slice normal, from
    the patient's left to right, rows to posterior, columns to inferior); ``flags`` sorted keys of FLAGS; ``provenance``
    JSON-ready facts; ``phantom`` whether every file is one of this project's synthetic ones.
    """

    volume: ByteArray
    slices: tuple[SliceGeometry, ...]
    flags: tuple[str, ...]
    provenance: dict[str, Any]
    phantom: bool

    @property
    def centre(self) -> int:
        """Index of the centre slice, D // 2."""
        return len(self.slices) // 2


def read_series(folder: Path, *, preprocessing: str = "trained") -> Series:
    """Read the DICOM images directly in ``folder`` (not in folders below it), whatever their names.

    ``folder`` may also be a series list, a ``.txt`` file with one path a line; its files are named by their line in
    errors and provenance, as their paths may tell who the patient is.

    Each file is read once. Compressed pixels are decoded by GDCM, where it cannot by pylibjpeg, chosen per file.
    Damaged files are left out and flagged as long as at least three slices remain and they outnumber the damaged files.
    Raises StudyError (one sentence) where no such volume can be had.
    """
    if preprocessing not in ("trained", "reference"):
        raise ValueError(f"preprocessing {preprocessing!r} is neither 'trained' nor 'reference'")
    with quiet_pydicom():
        return _read(Path(folder), preprocessing)


def _read(folder: Path, preprocessing: str) -> Series:
    scan = _scan(folder)
    flags = set()
    if scan.colour:
        flags.add("colour_images")
    if scan.without_geometry:
        flags.add("missing_geometry")
    if preprocessing == "trained":
        try:
            stack = stacks.build(scan.frames)
        except stacks.StackError as error:
            raise StudyError(f"the series in {folder} {error}.") from error
        places, turn, dropped = stack.places, stack.turn, stack.dropped
        flags.update(stack.flags)
    else:
        frames = sorted(scan.frames, key=_natural_order())
        places, turn, dropped = [[frame] for frame in frames], Turn(), {}
    frames, pixels = _decode(places, scan.unreadable)
    _check_enough(folder, frames, scan)
    if scan.unreadable:
        flags.add("unreadable_files")
    planes = [turn.geometry(frame.geometry) for frame in frames]
    if preprocessing == "trained":
        spacing = stacks.spacing(planes, stack.normal)
        if stacks.has_gaps(planes, stack.normal):
            flags.add("missing_slices")
        if any(frame.transform.mirror is not None for frame in frames):
            flags.add("monochrome1")
    else:
        spacing = None
        _check_one_size(folder, planes)
    volume, window = _intensities(folder, [turn.pixels(image) for image in pixels], frames, preprocessing)
    files = {id(frame.file): frame.file for frame in frames}.values()
    provenance = {
        "series_uid": frames[0].series_uid,
        "n_files": scan.n_images,
        "n_slices": len(frames),
        "slice_spacing_mm": spacing,
        "transfer_syntaxes": _counts(str(file.dataset.file_meta.TransferSyntaxUID) for file in files),
        "decoders": _counts(file.decoder for file in files),
        "preprocessing": preprocessing,
        "preprocessing_version": PREPROCESSING_VERSION,
        "intensity_window": window,
        "reorientation": turn.name,
        "dropped": dropped,
        "unreadable_files": natsorted(scan.unreadable),
    }
    phantom = all(file.dataset.get("ManufacturerModelName") == PHANTOM_MODEL for file in files)
    return Series(volume, tuple(planes), tuple(sorted(flags)), provenance, phantom)


def _scan(folder: Path) -> Scan:
    """Usable frames of the folder, at least one. Raises StudyError."""
    try:
        is_list = folder.suffix.lower() == ".txt" and not folder.is_dir()
        files = headers.listed_sources(read_list(folder)) if is_list else headers.sources(folder)
    except FileNotFoundError as error:
        raise StudyError(f"series folder {folder} does not exist; check the path in the study sheet.") from error
    except NotADirectoryError as error:
        raise StudyError(
            f"{folder} is a file, not a folder; give the folder that holds the slices or a .txt list of them."
        ) from error
    except OSError as error:
        raise StudyError(
            f"series folder {folder} cannot be listed ({error.strerror}); check its permissions."
        ) from error
    scan = headers.scan(files)
    if scan.n_images == 0:
        raise StudyError(f"{folder} holds no DICOM images; give the folder that directly holds the series' files.")
    if scan.frames:
        return scan
    if scan.colour:
        raise StudyError(
            f"{folder} holds only colour images ({scan.colour[0]}), such as screenshots or secondary captures; "
            "choose the original greyscale series."
        )
    if scan.without_geometry:
        raise StudyError(
            f"the images in {folder} do not say where they lie in the patient (position, orientation or pixel spacing is "
            "missing or invalid); export the original series from the scanner or PACS."
        )
    raise StudyError(_all_unreadable(folder, scan))


def _all_unreadable(folder: Path, scan: Scan) -> str:
    name, reason = natsorted(scan.unreadable.items())[0]
    return (
        f"none of the {scan.n_images} DICOM files in {folder} can be read (the first, {name}: {reason}); "
        "copy or export the series again."
    )


def _natural_order() -> Callable[[Frame], Any]:
    key = natsort_keygen()
    return lambda frame: (key(str(frame.file.source.path)), frame.index)


def _decode(places: list[list[Frame]], unreadable: dict[str, str]) -> tuple[list[Frame], list[StoredArray]]:
    """One frame and its stored values for each place that has a decodable one; the others' files go to ``unreadable``."""
    frames, pixels = [], []
    for place in places:
        for frame in place:
            try:
                pixels.append(frame.pixels())
            except PixelError as error:
                unreadable[frame.file.source.label] = str(error)
                continue
            frames.append(frame)
            break
    return frames, pixels


def _check_enough(folder: Path, frames: list[Frame], scan: Scan) -> None:
    damaged = scan.unreadable
    if damaged and not frames:
        raise StudyError(_all_unreadable(folder, scan))
    if damaged and (len(frames) < MIN_SLICES or len(frames) <= len(damaged)):
        name, reason = natsorted(damaged.items())[0]
        raise StudyError(
            f"{len(damaged)} of the {scan.n_images} DICOM files in {folder} cannot be read (the first, {name}: {reason}) "
            f"and {len(frames)} slices are too few; copy or export the series again."
        )
    if len(frames) < MIN_SLICES:
        count = "only one slice" if len(frames) == 1 else f"only {len(frames)} slices"
        raise StudyError(
            f"the series in {folder} has {count} at different positions, a stack needs at least {MIN_SLICES}; "
            "choose the complete sagittal series."
        )


def _check_one_size(folder: Path, planes: list[SliceGeometry]) -> None:
    sizes = sorted({(plane.height, plane.width) for plane in planes})
    if len(sizes) > 1:
        found = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise StudyError(
            f"the series in {folder} holds slices of mixed sizes ({found}), which preprocessing 'reference' cannot stack; "
            "use preprocessing 'trained'."
        )


def _intensities(
    folder: Path, images: list[StoredArray], frames: list[Frame], preprocessing: str
) -> tuple[ByteArray, list[float]]:
    try:
        if preprocessing == "trained":
            transforms = [frame.transform for frame in frames]
            volume, low, high = intensities.scale(images, transforms, intensities.TRAINED_PERCENTILES)
        else:
            transforms = [intensities.IDENTITY] * len(images)
            volume, low, high = intensities.scale(images, transforms, intensities.FULL_RANGE)
    except intensities.BlankImage as error:
        raise StudyError(
            f"the images of the series in {folder} are blank (all pixels have the same value); "
            "check the export or choose another series."
        ) from error
    return volume, [low, high]


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
