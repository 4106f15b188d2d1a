"""A folder of DICOM files -> one sagittal volume with its intensities, its place in the patient and its provenance.

``trained`` preprocessing follows what the point net was trained with: slices grouped by orientation, sorted along the
slice normal, the stack clipped to its 0.1 and 99.9 percentiles and scaled to 8 bits. ``reference`` follows the reference
implementation: natural order of file names, stored values, minimum to maximum; nothing is chosen, sorted or turned.

No name, id or date of the patient gets out of here; errors and provenance hold file names (those of a series list as the
number of their line) and UIDs, never a path.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from natsort import natsort_keygen, natsorted
from pydicom.dataset import Dataset

from lstv.base.arrays import ByteArray, StoredArray
from lstv.base.errors import StudyError
from lstv.base.private_files import Listed, read_list
from lstv.base.text import counted, printable
from lstv.dicom import facts, headers, intensities, nifti, nifti_series, pixels, plausibility, stacks
from lstv.dicom.facts import Image
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.intensities import Padding, Transform
from lstv.dicom.pixels import PixelError, quiet_pydicom
from lstv.dicom.stacks import MIN_SLICES, Turn
from lstv.dicom.stored import PHANTOM_MODEL, StoredSeries

PREPROCESSING_VERSION = 1
"""Raised when the same files would give another volume."""


@dataclass(frozen=True)
class SagittalVolume:
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


_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
LARGEST_FILE = 1 << 30
"""Bytes of a file that is read at all."""
_HELD_BYTES = 512 << 20
"""Bytes of files kept in memory between choosing the stack and decoding it; beyond, the chosen ones are read again."""


@dataclass(frozen=True)
class _Source:
    """A file to look at: what messages and records call it, whether it is known to belong to the series, and which of its
    frames do (all where None)."""

    path: Path
    label: str
    expected: bool
    frames: frozenset[int] | None = None


class _File:
    """One image file; its pixels are decoded once, when they are first asked for."""

    def __init__(self, source: _Source, dataset: Dataset | None) -> None:
        self.source = source
        self.syntax = self.decoder = ""
        self.compressed = False
        self._dataset = dataset
        self._cells: StoredArray | None = None
        self._error: PixelError | None = None

    @property
    def dataset(self) -> Dataset:
        if self._dataset is None:
            try:
                self._dataset = headers.read(io.BytesIO(self.source.path.read_bytes()), pixels=True)
            except (OSError, headers.NotDicom, headers.DicomDirectory, headers.DamagedHeader) as error:
                raise PixelError("it changed while it was read") from error
        return self._dataset

    def pixels(self, frame: int) -> StoredArray:
        """Stored values (rows, columns) of one frame. Raises PixelError."""
        if self._error is not None:
            raise self._error
        if self._cells is None:
            try:
                self._cells, self.decoder = _decoded(self.dataset)
                syntax = self.dataset.file_meta.TransferSyntaxUID
                self.syntax, self.compressed = str(syntax), bool(syntax.is_encapsulated)
            except PixelError as error:
                self._error = error
                raise
        if frame >= len(self._cells):
            raise PixelError("its pixel data has fewer frames than its header says")
        cells: StoredArray = self._cells[frame]
        return cells

    def transform(self, image: Image) -> Transform:
        """Modality rescale and MONOCHROME1; to be asked after the pixels."""
        mirror = None
        if image.facts.photometric == "MONOCHROME1":
            mirror = -1 if self.dataset.PixelRepresentation == 1 else 2 ** int(self.dataset.BitsStored) - 1
        return Transform(image.slope, image.intercept, mirror)

    def padding(self) -> Padding | None:
        """Stored values that are no image; to be asked after the pixels."""
        return pixels.padding(self.dataset)


def _decoded(dataset: Dataset) -> tuple[StoredArray, str]:
    try:
        return pixels.decode(dataset)
    except (PixelError, MemoryError):
        raise
    except Exception as error:  # an element that describes the pixels and is none
        raise PixelError(f"the description of its pixels cannot be used ({type(error).__name__})") from error


@dataclass
class _Found:
    """What a folder holds: usable ``images`` in order of file names, files by source, and what is not usable, by label."""

    images: list[Image] = field(default_factory=list)
    files: dict[_Source, _File] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    colour: list[str] = field(default_factory=list)
    other: dict[str, str] = field(default_factory=dict)
    without_geometry: dict[str, str] = field(default_factory=dict)
    n_images: int = 0


def read_volume(folder: Path, *, preprocessing: str = "trained", n_slices: int | None = None) -> SagittalVolume:
    """Read the DICOM images directly in ``folder`` (not in folders below it), whatever their names.

    ``folder`` may also be a series list, a ``.txt`` file with one path per line and optionally the frames of it that belong
    to the series; its files are named by their line in errors and provenance, as their paths may tell who the patient is.
    Or it is a NIfTI file, which ``preprocessing`` "reference" does not know.
    ``n_slices`` is the number of slices that the scan of a folder counted: other ones than those are refused.

    Compressed pixels are decoded by GDCM, where it cannot by pylibjpeg, chosen per file.
    Damaged files are left out and flagged as long as at least three slices remain and they outnumber the damaged files.
    Raises StudyError (one sentence) where the series does not make such a volume.
    """
    if preprocessing not in ("trained", "reference"):
        raise ValueError(f"preprocessing {preprocessing!r} is neither 'trained' nor 'reference'")
    return _scaled(_stored(Path(folder), preprocessing, n_slices), preprocessing)


def read_stored(folder: Path, *, n_slices: int | None = None) -> StoredSeries:
    """The stack that ``read_volume`` makes a volume of, with its stored values. Raises StudyError as that does, except
    for blank images."""
    return _stored(Path(folder), "trained", n_slices)


def _stored(folder: Path, preprocessing: str, n_slices: int | None) -> StoredSeries:
    if nifti.is_named(folder) and not folder.is_dir():
        if preprocessing != "trained":
            raise StudyError(
                "preprocessing 'reference' goes by the names of DICOM files, which a NIfTI file has not; use preprocessing "
                "'trained'."
            )
        return nifti_series.read_series(folder)
    with quiet_pydicom():
        return _read(folder, preprocessing, n_slices)


def _read(folder: Path, preprocessing: str, n_slices: int | None) -> StoredSeries:
    found = _look_through(folder)
    flags = set()
    if found.colour:
        flags.add("colour_images")
    if found.other:
        flags.add("other_objects")
    if found.without_geometry:
        flags.add("missing_geometry")
    if preprocessing == "trained":
        try:
            stack = stacks.build(found.images)
        except stacks.StackError as error:
            raise StudyError(f"the series {error}.") from error
        slice_positions, turn, dropped = stack.slice_positions, stack.turn, stack.dropped
        flags.update(stack.flags)
        _check_count(len(slice_positions), n_slices, found)
    else:
        images = sorted(found.images, key=_natural_order())
        slice_positions, turn, dropped = [[image] for image in images], Turn(), {}
    images, cells = _decode(slice_positions, found)
    _check_enough(images, found)
    if found.unreadable:
        flags.add("unreadable_files")
    if any(not image.facts.photometric for image in images):
        flags.add("photometric_assumed")
    planes = [turn.geometry(image.plane) for image in images]
    files = [found.files[image.source] for image in images]
    if preprocessing == "trained":
        spacing = stacks.spacing(planes, stack.normal)
        if stacks.has_gaps(planes, stack.normal):
            flags.add("missing_slices")
        if any(image.facts.photometric == "MONOCHROME1" for image in images):
            flags.add("monochrome1")
        if all(file.compressed for file in files) and plausibility.implausible(cells):
            flags.add("implausible_pixels")
        transforms = [file.transform(image) for file, image in zip(files, images)]
        padding = [file.padding() for file in files]
    else:
        spacing = None
        _check_one_size(planes)
        transforms, padding = [intensities.IDENTITY] * len(cells), [None] * len(cells)
    once = {id(file): file for file in files}.values()
    provenance = {
        "series_uid": uid if re.fullmatch(r"[0-9.]{1,64}", uid := images[0].facts.series_uid) else "",
        "n_files": found.n_images,
        "n_slices": len(images),
        "slice_spacing_mm": spacing,
        "transfer_syntaxes": _counts(file.syntax for file in once),
        "decoders": _counts(file.decoder for file in once),
        "reorientation": turn.name,
        "dropped": dropped,
        "unreadable_files": natsorted(found.unreadable),
    }
    turned = [turn.pixels(image) for image in cells]
    phantom = all(image.facts.model == PHANTOM_MODEL for image in images)
    shown = images[0].facts
    return StoredSeries(turned, tuple(planes), transforms, padding, frozenset(flags), provenance, phantom, shown)


def _scaled(stored: StoredSeries, preprocessing: str) -> SagittalVolume:
    percentiles = intensities.TRAINED_PERCENTILES if preprocessing == "trained" else intensities.FULL_RANGE
    cells, transforms = stored.cells, stored.transforms
    try:
        padded = intensities.stretches(cells, transforms, stored.padding, percentiles)
        volume, low, high = intensities.scale(cells, transforms, percentiles, stored.padding if padded else None)
    except intensities.BlankImage as error:
        raise StudyError(
            "the images of the series are blank (all pixels have the same value); check the export or choose another series."
        ) from error
    flags = stored.flags | {"pixel_padding"} if padded else stored.flags
    provenance = stored.provenance | {
        "preprocessing": preprocessing,
        "preprocessing_version": PREPROCESSING_VERSION,
        "intensity_window": [low, high],
    }
    return SagittalVolume(volume, stored.planes, tuple(sorted(flags)), provenance, stored.phantom)


# --- looking through the files ----------------------------------------------------------------------------------------


def _look_through(folder: Path) -> _Found:
    """Usable images of the folder, at least one. Raises StudyError."""
    try:
        is_list = folder.suffix.lower() == ".txt" and not folder.is_dir()
        sources = _listed(read_list(folder)) if is_list else _directly_in(folder)
    except FileNotFoundError as error:
        raise StudyError("the series folder does not exist; check series_dir in the study sheet.") from error
    except NotADirectoryError as error:
        raise StudyError(
            "series_dir is a file, not a folder; give the folder that holds the slices or a .txt list of them."
        ) from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name cannot be a path"
        raise StudyError(f"the series folder cannot be listed ({said}); check its permissions.") from error
    found = _Found()
    held = 0
    for source in sources:
        held += _add_file(found, source, room=_HELD_BYTES - held)
    found.n_images += len(found.unreadable)
    named = [source.label for source in sources if nifti.is_named(source.path)]
    if found.n_images == 0 and named:
        raise StudyError(
            f"the series folder holds NIfTI files ({named[0]}), not DICOM images; name the file itself in series_dir, or "
            "take a BIDS folder as source (kind bids)."
        )
    if found.n_images == 0:
        raise StudyError(
            "the series folder contains no DICOM images; give the folder that directly holds the series' files."
        )
    if not found.images:
        raise StudyError(_why_no_image(found))
    return found


def _directly_in(folder: Path) -> list[_Source]:
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    files = [(name, folder / name) for name in names]
    return [
        _Source(path, label=printable(name), expected=path.suffix.lower() in _SUFFIXES)
        for name, path in files
        if path.is_file()
    ]


def _listed(entries: list[Listed]) -> list[_Source]:
    """The files of a series list. They are named by their line, as their paths may tell who the patient is."""
    return [
        _Source(path, label=f"line {number}", expected=True, frames=frames)
        for number, (path, frames) in enumerate(entries, start=1)
    ]


def _add_file(found: _Found, source: _Source, *, room: int) -> int:
    """Put a file where it belongs; the number of its bytes that are kept in memory, at most ``room``."""
    name = source.label
    try:
        status = os.stat(source.path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would never return, a device never ends
            found.unreadable[name] = "it is not a file"
            return 0
        size = status.st_size
        hold = size <= room
        with open(source.path, "rb") as stream:
            if size > LARGEST_FILE:
                found.unreadable[name] = f"it is {size / 2**30:.1f} GiB large, more than a file of an MR series"
                return 0
            dataset = headers.read(io.BytesIO(stream.read()) if hold else stream, pixels=hold)
            described = headers.headers(dataset)
    except OSError as error:
        found.unreadable[name] = f"it cannot be opened ({error.strerror})"
        return 0
    except headers.DamagedHeader as error:
        found.unreadable[name] = str(error)
        return 0
    except (headers.NotDicom, headers.DicomDirectory):
        if source.expected:
            found.unreadable[name] = "it is not DICOM"
        return 0
    found.files[source] = _File(source, dataset if hold else None)
    images = [facts.image(source, header) for header in described]
    if source.frames is not None:
        images = [image for image in images if image.frame in source.frames]
    usable = [image for image in images if image.problem is None]
    found.images += usable
    problem = next((image.problem for image in images if image.problem is not None), None)
    if problem is None or _file_away(found, name, problem, images[0]):
        found.n_images += 1
    return size if hold else 0


def _file_away(found: _Found, name: str, problem: facts.Problem, image: Image) -> bool:
    """Note what is wrong with a file's images; whether it still counts as an image file here."""
    if problem.kind == "geometry":
        found.without_geometry[name] = problem.text
    elif problem.kind == "colour":
        found.colour.append(name)
    elif problem.kind == "values":
        found.unreadable[name] = problem.text
        return False  # counted with the unreadable ones
    elif image.facts.rows:
        found.other[name] = problem.text
    else:
        return False  # a report, a presentation state: no image at all
    return True


def _why_no_image(found: _Found) -> str:
    if found.colour:
        return (
            f"the series folder holds only colour images ({found.colour[0]}), such as screenshots or secondary captures; "
            "choose the original greyscale series."
        )
    if found.other:
        name, text = natsorted(found.other.items())[0]
        return f"the series folder contains no MR images ({name}: {text}); choose the sagittal T2 series of the study."
    if found.without_geometry:
        name, text = natsorted(found.without_geometry.items())[0]
        return (
            f"the images do not say where they lie in the patient ({name}: {text}); export the original series from the "
            "scanner or PACS."
        )
    return _all_unreadable(found)


def _all_unreadable(found: _Found) -> str:
    name, reason = natsorted(found.unreadable.items())[0]
    return (
        f"none of the {found.n_images} DICOM files of the series can be read (the first, {name}: {reason}); copy or export "
        "the series again."
    )


def _natural_order() -> Callable[[Image], Any]:
    key = natsort_keygen()
    return lambda image: (key(str(image.source.path)), image.frame)


def _check_count(slices: int, n_slices: int | None, found: _Found) -> None:
    """Raise StudyError where the slices are not those that the scan counted; files damaged since may be missing."""
    if n_slices is not None and not slices <= n_slices <= slices + len(found.unreadable):
        raise StudyError(
            f"the files of the series hold {counted(slices, 'slice')}, the scan of the folder counted {n_slices}; they "
            "have changed since, scan the folder again."
        )


# --- pixels -----------------------------------------------------------------------------------------------------------


def _decode(slice_positions: list[list[Image]], found: _Found) -> tuple[list[Image], list[StoredArray]]:
    """One image and its stored values for each place that has a decodable one; the others' files go to ``unreadable``."""
    images, cells = [], []
    for slice_position in slice_positions:
        for image in slice_position:
            try:
                cells.append(found.files[image.source].pixels(image.frame))
            except PixelError as error:
                found.unreadable[image.source.label] = str(error)
                continue
            images.append(image)
            break
    return images, cells


def _check_enough(images: list[Image], found: _Found) -> None:
    damaged = found.unreadable
    if damaged and not images:
        raise StudyError(_all_unreadable(found))
    if damaged and (len(images) < MIN_SLICES or len(images) <= len(damaged)):
        name, reason = natsorted(damaged.items())[0]
        raise StudyError(
            f"{len(damaged)} of the {found.n_images} DICOM files of the series cannot be read (the first, {name}: {reason}) "
            f"and {counted(len(images), 'slice')} {'is' if len(images) == 1 else 'are'} too few; copy or "
            "export the series again."
        )
    if len(images) < MIN_SLICES:
        count = "only one slice" if len(images) == 1 else f"only {len(images)} slices"
        series = {image.facts.series_uid for image in found.images}
        if found.without_geometry:
            name, text = natsorted(found.without_geometry.items())[0]
            raise StudyError(
                f"the series has {count} of known place and {counted(len(found.without_geometry), 'image')} of unknown "
                f"place (first {name}: {text}); export the original series from the scanner or PACS."
            )
        if len(series) > 1:
            raise StudyError(
                f"the folder holds {len(series)} series, of which the largest has {count}: if they are slices of one, each "
                "has a SeriesInstanceUID of its own; export the series again with one."
            )
        raise StudyError(
            f"the series has {count} (images of one position count once), but a stack needs at least {MIN_SLICES}; choose "
            "the complete sagittal series."
        )


def _check_one_size(planes: list[SliceGeometry]) -> None:
    sizes = sorted({(plane.height, plane.width) for plane in planes})
    if len(sizes) > 1:
        said = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise StudyError(
            f"the series holds slices of mixed sizes ({said}), which preprocessing 'reference' cannot stack; use "
            "preprocessing 'trained'."
        )


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
