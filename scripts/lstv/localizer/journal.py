"""What an unfinished batch has so far: encoded studies one behind the other in a file that may end anywhere."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from lstv.localizer.encoding import EncodedStudy

_HEAD = struct.Struct("<4sQI64s")
_MARK = b"LSTJ"
KEY_LENGTH = 64
"""Of the hexadecimal sha256 under which a study is kept."""


class Journal:
    """A new journal, which its own process alone writes; threads may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = open(path, "w+b")  # noqa: SIM115  # for as long as this object
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}

    def append(self, study: EncodedStudy, key: str) -> None:
        """Add a study; ``key`` says what it was made from (``read``)."""
        content = study.to_bytes()
        head = _HEAD.pack(_MARK, len(content), zlib.crc32(content), key.encode())
        with self._lock:
            self._file.seek(0, os.SEEK_END)
            self._file.write(head + content)
            self._file.flush()
            self._places[study.study_id] = (self._file.tell() - len(content), len(content))

    def load(self, study_id: str) -> EncodedStudy:
        """A study that was appended before."""
        start, length = self._places[study_id]
        self._file.seek(start)
        return EncodedStudy.from_bytes(self._file.read(length))

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return os.fstat(self._file.fileno()).st_size

    def synchronize(self) -> None:
        """Wait until all that was appended is on the disk."""
        os.fsync(self._file.fileno())

    def truncate(self, size: int) -> None:
        """Drop what was appended after the journal had this size."""
        with self._lock:
            self._file.truncate(size)

    def __contains__(self, study_id: str) -> bool:
        return study_id in self._places

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[tuple[str, EncodedStudy]]:
    """Key and study of every whole record; what a killed process left unfinished, or damaged, ends it."""
    with open(path, "rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            mark, length, checksum, key = _HEAD.unpack(head)
            if mark != _MARK or length > os.fstat(file.fileno()).st_size:
                return
            content = file.read(length)
            if len(content) != length or zlib.crc32(content) != checksum:
                return
            yield key.decode(errors="replace"), EncodedStudy.from_bytes(content)
