"""Phantoms as somebody exports them from a PACS: folders and zip files named after patients, some of them damaged."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
from pydicom import dcmread

IDENTIFYING = (
    "PatientName",
    "PatientID",
    "StudyID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
)


@dataclass(frozen=True)
class Export:
    """``whole``: phantoms exported as they are, ``zipped``: one of them in a zip file, ``failing``: phantoms of which one
    lost half of its images' bytes and one lies in a damaged zip file; by study id. ``secrets``: what must not be shared."""

    folder: Path
    whole: list[str]
    zipped: str
    failing: list[str]
    secrets: set[str]


def make(source: Path, t2: dict[str, str], folder: Path) -> Export:
    """Export the studies of ``source`` (``train_images`` of the demo); ``t2`` is the T2 series of each of them."""
    first, zipped, cut, damaged, *rest = sorted(t2)
    secrets = {word for study in t2 for word in (f"{study}_exported", f"Phantom^{study}")}
    for path in sorted(source.rglob("*.dcm")):
        header = dcmread(path, stop_before_pixels=True, specific_tags=IDENTIFYING)
        secrets |= {str(element.value) for element in header if element.value}
    for study in t2:
        shutil.copytree(source / study, folder / f"{study}_exported" / "DICOM" / f"Phantom^{study}")
    for path in _images(folder, cut, t2[cut]):
        with open(path, "r+b") as stream:
            stream.truncate(path.stat().st_size * 2 // 5)
    for study in (zipped, damaged):
        _zip(folder / f"{study}_exported", t2[study], harm=study == damaged)
    (folder / f"{first}_exported" / "report.txt").write_text(f"Phantom^{first}: nothing of note\n")
    (folder / f"Phantom^{first}.zip").write_bytes(b"PK\x03\x04 and no more")
    return Export(folder, [first, zipped, *rest], zipped, [cut, damaged], secrets)


def _images(folder: Path, study: str, series: str) -> list[Path]:
    return sorted((folder / f"{study}_exported" / "DICOM" / f"Phantom^{study}" / series).iterdir())


def _zip(folder: Path, series: str, *, harm: bool) -> None:
    """Replace the folder by a zip file of it; ``harm`` alters the last byte of one image of the series."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.dcm")):
            archive.write(file, file.relative_to(folder.parent))
    shutil.rmtree(folder)
    if harm:
        with zipfile.ZipFile(path) as archive:
            info = next(info for info in archive.infolist() if f"/{series}/" in info.filename)
            content = bytearray(path.read_bytes())
        content[info.header_offset + 30 + len(info.filename.encode()) + info.compress_size - 3] ^= 255
        path.write_bytes(content)


def told(results: Path, secrets: set[str]) -> list[str]:
    """Every place in a results folder that tells one of the secrets: name or content of any file, whatever its kind."""
    return [f"{path}: {secret}" for path in results.rglob("*") for secret in secrets if _tells(path, results, secret)]


def _tells(path: Path, results: Path, secret: str) -> bool:
    return secret in str(path.relative_to(results)) or any(secret.encode() in text for text in _texts(path))


_READ: dict[Path, list[bytes]] = {}


def _texts(path: Path) -> list[bytes]:
    """The bytes of a file; of HDF5 also all names, attributes and text, which may be compressed in the file."""
    if path not in _READ:
        _READ[path] = list(_read(path)) if path.is_file() else []
    return _READ[path]


def _read(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x89HDF"):
        words: list[str] = []
        with h5py.File(path) as file:
            words += [f"{name}={value}" for name, value in file.attrs.items()]
            file.visititems(lambda name, item: words.extend(_words(name, item)))
        yield "\n".join(words).encode()


def _words(name: str, item: h5py.Group | h5py.Dataset) -> Iterator[str]:
    yield name
    yield from (f"{key}={value}" for key, value in item.attrs.items())
    if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype):
        yield str(item[()])
