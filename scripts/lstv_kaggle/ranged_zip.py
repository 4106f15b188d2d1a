"""Single entries of a remote zip archive, without fetching the archive.

The directory stands at a zip's end (PKWARE APPNOTE 4.3), so its last bytes tell where every entry lies; neighbours are
fetched in one request, and each entry is checked against the directory's size and CRC-32.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from lstv.base.errors import UserError
from lstv_kaggle.disk import write_atomic
from lstv_kaggle.remote import NoRanges, RemoteFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TAIL = 1 << 20
"""Bytes of the first look at the archive's end."""

GAP = 1 << 18
"""Unwanted bytes between two entries that are fetched along: at common speeds cheaper than one more request."""

SPAN = 16 << 20
"""Longest request in bytes; more only for an entry that is longer by itself."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LONGEST_EXTRA = 65_535
_DESCRIPTOR = 24
_LONGEST_DIRECTORY = 1 << 28


ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    EOFError,
    ValueError,
    IndexError,
    struct.error,
    KeyError,
)
"""What the zip library raises on bytes that are none, or no longer those that were packed."""


class BadArchive(UserError):
    """The bytes that came are no zip archive with a sound directory."""


class AlteredEntry(Exception):
    """The bytes that came are not the entry that the directory describes."""


class Archive(Protocol):
    """What reading an archive's directory asks of a file: its name in messages, size, identity, and parts of it."""

    @property
    def what(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def ranges(self) -> bool: ...
    def read(self, start: int, stop: int) -> bytes: ...


@dataclass(frozen=True)
class ArchiveEntry:
    """A file of the archive; its bytes with header lie within [start, stop) of the archive."""

    name: str
    start: int
    stop: int
    compressed: int
    size: int
    crc: int
    method: int


def safe_name(name: str) -> bool:
    """Whether an entry's name stays within the folder into which it is unpacked."""
    parts = name.split("/")
    return not (
        name.startswith("/")
        or "\\" in name
        or not name.isprintable()
        or any(part in ("", ".", "..") for part in parts)
        or PurePosixPath(name).is_absolute()
        or parts[0].endswith(":")
    )


def read_directory(remote: Archive, cache: Path, partial: Path) -> dict[str, ArchiveEntry]:
    """All entries of the archive by name.

    The directory's bytes are kept in ``cache`` for the next run and used as long as size and ETag of the archive are the
    same; they have no checksum of their own, so ``cache`` is to be removed when entries do not agree with it. Raises
    BadArchive where the file is not a zip, NoRanges where the storage gives no parts of it.
    """
    if not remote.ranges:
        raise NoRanges(f"the storage gives {remote.what} only as a whole, not in parts.")
    cached = cached_directory(remote, cache)
    if cached is not None:
        return cached
    view = _TailView(remote)
    entries, start = _parse(remote, view)
    _store_cache(remote, start, view.from_offset(start), cache, partial)
    return entries


def cached_directory(remote: Archive, cache: Path) -> dict[str, ArchiveEntry] | None:
    """All entries as ``read_directory`` kept them in an earlier run; None where it did not, or of another archive."""
    view = _load_cache(remote, cache)
    return None if view is None else _parse(remote, view)[0]


def spans(entries: Iterable[ArchiveEntry], gap: int = GAP, longest: int = SPAN) -> list[list[ArchiveEntry]]:
    """Entries in the order of the archive, grouped into requests."""
    groups: list[list[ArchiveEntry]] = []
    for entry in sorted(entries, key=lambda entry: entry.start):
        group = groups[-1] if groups else None
        if group and entry.start - group[-1].stop <= gap and entry.stop - group[0].start <= longest:
            group.append(entry)
        else:
            groups.append([entry])
    return groups


def length(span: list[ArchiveEntry]) -> int:
    """Bytes of a request."""
    return span[-1].stop - span[0].start


def receive(
    remote: RemoteFile,
    span: list[ArchiveEntry],
    deliver: Callable[[ArchiveEntry, bytes], None],
    count: Callable[[int], None],
) -> None:
    """Fetch a span and hand over the raw bytes of each entry as soon as they are there, so that a failure loses none.

    ``count`` is told the bytes of each chunk.
    """
    waiting = deque(span)
    buffer, base = bytearray(), span[0].start
    for chunk in remote.stream(span[0].start, span[-1].stop):
        count(len(chunk))
        buffer += chunk
        while waiting and base + len(buffer) >= waiting[0].stop:
            entry = waiting.popleft()
            raw = bytes(buffer[entry.start - base : entry.stop - base])
            del buffer[: entry.stop - base]
            base = entry.stop
            deliver(entry, raw)


def unpack(entry: ArchiveEntry, raw: bytes) -> bytes:
    """The entry's content from its bytes in the archive. Raises AlteredEntry unless header, size and CRC-32 agree."""
    if len(raw) < _LOCAL_HEADER.size:
        raise AlteredEntry(entry.name)
    fields = _LOCAL_HEADER.unpack_from(raw)
    signature, flags, method, name_length, extra_length = fields[0], fields[2], fields[3], fields[9], fields[10]
    name = raw[_LOCAL_HEADER.size : _LOCAL_HEADER.size + name_length].decode(
        "utf-8" if flags & 0x800 else "cp437", "replace"
    )
    begin = _LOCAL_HEADER.size + name_length + extra_length
    packed = raw[begin : begin + entry.compressed]
    if signature != b"PK\x03\x04" or name != entry.name or method != entry.method or len(packed) != entry.compressed:
        raise AlteredEntry(entry.name)
    if entry.method == zipfile.ZIP_STORED:
        content = packed
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(packed, entry.size + 1)
        except zlib.error:
            raise AlteredEntry(entry.name) from None
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise AlteredEntry(entry.name)
    return content


class _TailView(io.RawIOBase):
    """The remote file as a seekable stream of which only the end is fetched, and more of it only where it is read."""

    def __init__(self, remote: Archive, start: int | None = None, data: bytes | None = None) -> None:
        self._remote, self._position = remote, 0
        self._start = max(0, remote.size - TAIL) if start is None else start
        self._data = remote.read(self._start, remote.size) if data is None else data

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._remote.size}[whence]
        if self._position < 0:
            raise OSError("seek before the beginning")
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, target: WriteableBuffer) -> int:
        if self._start - self._position > _LONGEST_DIRECTORY:
            raise OSError("its directory is larger than any real one")
        if self._position < self._start:
            self._data = self._remote.read(self._position, self._start) + self._data
            self._start = self._position
        begin, room = self._position - self._start, memoryview(target).cast("B")
        piece = self._data[begin : begin + len(room)]
        room[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def from_offset(self, offset: int) -> bytes:
        return self._data[offset - self._start :]


def _parse(remote: Archive, view: _TailView) -> tuple[dict[str, ArchiveEntry], int]:
    """The entries and where the directory starts."""
    try:
        with zipfile.ZipFile(view) as archive:
            infos, directory = archive.infolist(), archive.start_dir
    except (*ZIP_ERRORS, OSError) as error:
        raise BadArchive(
            f"{remote.what} is not a readable zip archive ({error}): it arrived altered, or its form has changed; run again."
        ) from None
    infos.sort(key=lambda info: info.header_offset)
    stops = [info.header_offset for info in infos[1:]] + [directory]
    entries = [_entry(remote, info, stop) for info, stop in zip(infos, stops) if not info.is_dir()]
    return {entry.name: entry for entry in entries}, directory


def _entry(remote: Archive, info: zipfile.ZipInfo, stop: int) -> ArchiveEntry:
    name_bytes = len(info.orig_filename.encode("utf-8"))
    least = info.header_offset + _LOCAL_HEADER.size + info.compress_size
    if least > stop or info.header_offset < 0:
        raise BadArchive(
            f"{remote.what} has an inconsistent directory (at {info.orig_filename!r}); it is altered: run again."
        )
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive(
            f"{remote.what} packs {info.orig_filename!r} in a way that is not supported: it arrived altered, or its form "
            "has changed; run again, or fetch it by hand."
        )
    # a hole behind an entry is none of its bytes
    stop = min(stop, least + name_bytes + _LONGEST_EXTRA + _DESCRIPTOR)
    return ArchiveEntry(
        info.orig_filename,
        info.header_offset,
        stop,
        info.compress_size,
        info.file_size,
        info.CRC,
        info.compress_type,
    )


def _identity(remote: Archive) -> dict:
    return {"size": remote.size, "etag": remote.etag}


def _load_cache(remote: Archive, cache: Path) -> _TailView | None:
    try:
        first, _, data = cache.read_bytes().partition(b"\n")
        header = json.loads(first)
        sound = header["sha256"] == hashlib.sha256(data).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not sound or remote.etag is None or header["archive"] != _identity(remote):
        return None
    return _TailView(remote, header["start"], data)


def _store_cache(remote: Archive, start: int, data: bytes, cache: Path, partial: Path) -> None:
    header = {"archive": _identity(remote), "start": start, "sha256": hashlib.sha256(data).hexdigest()}
    write_atomic(cache, json.dumps(header).encode() + b"\n" + data, partial)
