"""Walk a folder and read the headers of everything DICOM in it, in parallel."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lstv.base.errors import UserError
from lstv.base.pool import Pool
from lstv.cohort import training_guard
from lstv.cohort.rsna_layout import IMAGES, SERIES_TABLE
from lstv.dicom.headers import FIELDS, DamagedHeader, DicomDirectory, NotDicom, Readable
from lstv.dicom.nifti import looks_like_nifti
from lstv.dicom.pixels import quiet_pydicom
from lstv.folder import archives
from lstv.folder.first_bytes import FirstBytes
from lstv.folder.series import Own, Source

CHUNK = 256
"""Files handed to a worker at once; small enough for an even load and a moving progress bar."""
EXAMPLES = 5
_STUDY, _SERIES = (FIELDS.index(name) for name in ("study_uid", "series_uid"))
_LARGEST_VALUE = 64 << 20
"""Bytes of one element of a header; functional groups of a thousand frames take about 5 MiB."""
_LONGEST_HEADER = 256 << 20
"""Never more than this much of an entry of a zip file is unpacked to find the end of its header."""

Progress = Callable[[int, int], None]
"""Called with (files done, files known so far), from the listing of the folders on."""

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_OTHER_ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
"""First bytes of gzip, 7z, rar, bzip2, xz and zstandard files."""
_MAGIC_LATER = ((257, b"ustar"), (0x8001, b"CD001"))
"""Further in: tar files, images of discs."""

NOTICES = {
    "not_dicom": "not DICOM: passed over",
    "nifti": "NIfTI, not DICOM: passed over; NIfTI images are read from a BIDS folder (docs/sources.md)",
    "dicomdir": "DICOMDIR: passed over, the files it lists are found by themselves",
    "no_permission": "no permission to read: ask for access or scan as another user",
    "unreadable": "could not be opened or read: dangling link or failing disk",
    "damaged_header": "marked as DICOM but the header cannot be read: export again",
    "no_uid": "DICOM without Study or Series Instance UID: cannot be grouped, export again",
    "special": "neither file nor folder (socket, pipe, device): passed over",
    "other_archive": "packed in another way than zip: unpack it and scan again",
    "damaged_zip": "zip file that cannot be read: unpack it by hand and scan again",
    "encrypted": "entry of a zip file that needs a password: unpack it and scan again",
    "nested_zip": "zip file inside a zip file: unpack the outer one and scan again",
    "line_break": "name contains a line break or tab: rename and scan again",
    "loop": "link to a folder already visited: not followed twice",
}
"""What is reported of files that give no image, by the key used in ``Scan.notices``."""


@dataclass
class Scan:
    """What a folder holds.

    ``found``: raw values that images share (``Header.shared``) -> those of each image (source, frame, ``Header.own``);
    ``directories``: number of DICOM objects of any kind in each folder; ``notices``: how many files of each kind gave
    nothing; ``examples``: paths of the first few of them.
    """

    found: dict[tuple[bytes, ...], list[Own]] = field(default_factory=dict)
    directories: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    n_files: int = 0

    def note(self, kind: str, path: str) -> None:
        self.notices[kind] += 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(path)


@dataclass
class _Part:
    """A worker's result; ``items`` index the chunk it was given."""

    found: dict[tuple[bytes, ...], list[tuple[int, int, tuple[bytes, ...]]]] = field(default_factory=dict)
    noted: list[tuple[str, int]] = field(default_factory=list)
    zips: list[int] = field(default_factory=list)


def scan(root: Path, *, jobs: int = 1, progress: Progress | None = None) -> Scan:
    """Read all headers below ``root`` with ``jobs`` processes (1: in this one).

    Links are followed, each folder once. The result does not depend on ``jobs``. Raises UserError where the folder is
    missing or cannot be listed, or where the RSNA 2024 studies lie in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(
            f"folder {root} does not exist or is not a directory; correct the path (in a container: bind it)."
        )
    if training_guard.root_of(root) is not None:
        raise UserError(training_guard.refusal(root))
    result = Scan()
    report = progress or (lambda done, total: None)
    paths = []
    for path in _walk(root.resolve(), result):
        folder, name = os.path.split(path)
        if name == SERIES_TABLE and training_guard.is_root(folder):
            raise UserError(training_guard.refusal(folder))
        paths.append(path)
        if len(paths) % CHUNK == 0:
            report(0, len(paths))
    result.n_files = len(paths)
    if not paths and result.notices["no_permission"]:
        raise UserError(f"folder {root} cannot be listed for lack of permission; ask for access and scan again.")
    zips: list[str] = []
    with _pool(jobs) as pool:
        work: Sequence[tuple[str | None, list[str]]] = [
            (None, paths[at : at + CHUNK]) for at in range(0, len(paths), CHUNK)
        ]
        done = _run(pool, jobs, work, result, zips, partial(_report, report, 0, len(paths)))
        archive_entries = list(_archive_entries(sorted(zips), result))
        _refuse_packed_rsna(archive_entries)
        total = len(paths) + sum(len(names) for _, names in archive_entries)
        result.n_files = total
        _run(pool, jobs, archive_entries, result, zips, partial(_report, report, done, total))
    for files in result.found.values():
        files.sort(key=lambda file: (isinstance(file[0], tuple), file[0], file[1]))
    return result


def _refuse_packed_rsna(archive_entries: Iterable[tuple[str, list[str]]]) -> None:
    with_table, with_images = set(), set()
    for path, names in archive_entries:
        for name in names:
            folder, _, last = f"/{name}".rpartition("/")
            if last == SERIES_TABLE:
                with_table.add((path, folder))
            elif f"/{IMAGES}/" in folder:
                with_images.add((path, folder.partition(f"/{IMAGES}/")[0]))
    for path, folder in sorted(with_table & with_images):
        raise UserError(training_guard.refusal(f"{path}{folder}"))


def _report(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _pool(jobs: int) -> Executor | _Here:
    return Pool(jobs) if jobs > 1 else _Here()


class _Here:
    """The executor of one job: runs in this process."""

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def submit(self, call: Callable, *arguments: object) -> Future:
        future: Future = Future()
        future.set_result(call(*arguments))
        return future


def _walk(root: Path, result: Scan) -> Iterator[str]:
    """Paths of all files in a stable order; linked folders come last, so that a real path is preferred to a link."""
    waiting, links = [str(root)], list[str]()
    seen: set[tuple[int, int]] = set()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                result.note("loop", folder)
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            result.note(_os_kind(error), folder)
            continue
        below = []
        for entry in entries:
            if any(char in entry.name for char in "\n\r\t"):
                result.note("line_break", repr(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path
            elif entry.is_symlink():
                target = _target(entry.path, result)
                if target and (linked := training_guard.root_of(entry.path)) is not None:
                    raise UserError(training_guard.refusal(linked))
                if target == "folder":
                    links.append(entry.path)
                elif target == "file":
                    yield entry.path
            else:
                result.note("special", entry.path)
        waiting.extend(reversed(below))


def _target(path: str, result: Scan) -> str:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        result.note(_os_kind(error), path)
        return ""
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    result.note("special", path)
    return ""


def _os_kind(error: OSError) -> str:
    return "no_permission" if isinstance(error, PermissionError) else "unreadable"


def _archive_entries(zips: Iterable[str], result: Scan) -> Iterator[tuple[str, list[str]]]:
    for path in zips:
        try:
            names, encrypted = archives.entry_names(path)
        except archives.ZIP_ERRORS:
            result.note("damaged_zip", path)
            continue
        for _ in range(encrypted):
            result.note("encrypted", path)
        step = 4 * CHUNK  # every chunk opens the zip file and reads its table of contents again
        for at in range(0, len(names), step):
            yield path, names[at : at + step]


def _run(
    pool: Executor | _Here,
    jobs: int,
    work: Sequence[tuple[str | None, list[str]]],
    result: Scan,
    zips: list[str],
    report: Callable[[int], None],
) -> int:
    """Work off (zip file or None, names) chunks with a few in flight per worker; the number of files done."""
    done = 0
    waiting: dict[Future, tuple[str | None, list[str]]] = {}
    rest = iter(work)
    report(0)
    try:
        while True:
            while len(waiting) < 4 * jobs and (chunk := next(rest, None)) is not None:
                waiting[pool.submit(_read_chunk, *chunk)] = chunk
            if not waiting:
                return done
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                archive, names = waiting.pop(future)
                _merge(future.result(), archive, names, result, zips)
                done += len(names)
                report(done)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker that reads headers was killed, probably because memory ran out; scan again with fewer jobs."
        ) from error


def _merge(part: _Part, archive: str | None, names: list[str], result: Scan, zips: list[str]) -> None:
    sources: list[Source] = list(names) if archive is None else [(archive, name) for name in names]
    for shared, files in part.found.items():
        result.found.setdefault(shared, []).extend((sources[index], frame, own) for index, frame, own in files)
    if archive is None:
        seen = {index for files in part.found.values() for index, _, _ in files}
        result.directories.update(os.path.dirname(names[index]) for index in seen)
    for kind, index in part.noted:
        result.note(kind, names[index] if archive is None else f"{archive}!{names[index]}")
        if archive is None and kind in ("dicomdir", "damaged_header", "no_uid"):
            result.directories[os.path.dirname(names[index])] += 1
    zips.extend(names[index] for index in part.zips)


def _read_chunk(archive: str | None, names: list[str]) -> _Part:
    with quiet_pydicom():
        return _read_files(names) if archive is None else _read_entries(archive, names)


def _read_files(names: list[str]) -> _Part:
    part, first_bytes = _Part(), FirstBytes()
    for index, path in enumerate(names):
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                _sort(part, index, file if size <= _LARGEST_VALUE else _Bounded(file), first_bytes, inside=False)
        except OSError as error:
            part.noted.append((_os_kind(error), index))
    return part


def _read_entries(archive: str, names: list[str]) -> _Part:
    part, first_bytes = _Part(), FirstBytes()
    try:
        with archives.opened(archive) as reader:
            for index, name in enumerate(names):
                try:
                    with reader.open(name) as member:
                        _sort(part, index, _Bounded(member, _LONGEST_HEADER), first_bytes, inside=True)
                except archives.ZIP_ERRORS:
                    part.noted.append(("damaged_zip", index))
    except archives.ZIP_ERRORS:
        part.noted.append(("damaged_zip", 0))
    return part


class _Bounded:
    """A stream that gives no huge value, and nothing behind ``end``: an element's length may say anything."""

    def __init__(self, stream: Readable, end: int | None = None) -> None:
        self._stream = stream
        self._end = end
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_VALUE:
            size = _LARGEST_VALUE + 1
        content = self._stream.read(size)
        if len(content) > _LARGEST_VALUE:
            raise DamagedHeader(f"an element of its header is longer than {_LARGEST_VALUE >> 20} MiB")
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        if self._end is not None and (offset if whence == 0 else self.tell() + offset) > self._end:
            raise DamagedHeader(f"its header is longer than {self._end >> 20} MiB")
        return self._stream.seek(offset, whence)


def _sort(part: _Part, index: int, stream: Readable, first_bytes: FirstBytes, *, inside: bool) -> None:
    """Put one file where it belongs by its content; its name says nothing."""
    try:
        described = first_bytes.headers(stream)
    except (NotDicom, DamagedHeader) as error:
        if inside and isinstance(error.__cause__, (zipfile.BadZipFile, zlib.error)):
            raise error.__cause__ from error
        if isinstance(error, DamagedHeader):
            part.noted.append(("damaged_header", index))
            return
        kind = _kind_of_other(stream)
        if kind == "zip" and not inside:
            part.zips.append(index)
        else:
            part.noted.append(("nested_zip" if kind == "zip" else kind, index))
    except DicomDirectory:
        part.noted.append(("dicomdir", index))
    except MemoryError:
        part.noted.append(("damaged_header", index))
    else:
        shared = described[0].shared
        if not shared[_STUDY] or not shared[_SERIES]:
            part.noted.append(("no_uid", index))
            return
        for header in described:
            part.found.setdefault(header.shared, []).append((index, header.frame, header.own))


def _kind_of_other(stream: Readable) -> str:
    """zip, nifti, other_archive or not_dicom."""
    stream.seek(0)
    start = stream.read(512)
    if start.startswith(_ZIP_MAGIC):
        return "zip"
    if looks_like_nifti(start):
        return "nifti"
    if start.startswith(_OTHER_ARCHIVES):
        return "other_archive"
    for at, magic in _MAGIC_LATER:
        stream.seek(at)
        if stream.read(len(magic)) == magic:
            return "other_archive"
    return "not_dicom"
