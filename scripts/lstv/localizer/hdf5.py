"""HDF5 files on disks that fill up, have no locks, or return damaged bytes: each ends in one sentence.

Every HDF5 file of the project is opened here. No lock is ever taken: files get their names when complete and are read only
then, and some shared file systems have no locks (HDF5 would refuse to work there).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lstv.base import atomic
from lstv.base.errors import UserError

if TYPE_CHECKING:  # imported where a file is opened: it takes a tenth of a second
    import h5py


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write an attribute of fixed length: it lies in the group's header, which has a checksum.

    HDF5 keeps strings of variable length in a heap without one, and where that is damaged reads other text, or never stops
    reading.
    """
    content = text.encode("utf-8", "backslashreplace").replace(b"\0", rb"\x00")
    group.attrs.create(name, np.array(content or b"\n", dtype=f"S{max(1, len(content))}"))


def read_text(group: h5py.Group, name: str) -> str:
    """What ``write_text`` wrote, or a string of variable length."""
    value = group.attrs[name]
    text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    return "" if text == "\n" else text


class _Sink:
    """A file for HDF5 that never fails: after the first error of the disk it keeps in memory what is written and remembers
    the error. HDF5 itself, told of an error while it closes a file, ends the whole process."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept: list[tuple[int, bytes]] = []
        self._position = 0
        self._end = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._end)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, content: bytes | memoryview) -> int:
        content = bytes(content)
        if self.error is None:
            try:
                self._stream.seek(self._position)
                self._stream.write(content)
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._kept.append((self._position, content))
        self._position += len(content)
        self._end = max(self._end, self._position)
        return len(content)

    def readinto(self, buffer: memoryview) -> int:
        start, size = self._position, min(len(buffer), max(0, self._end - self._position))
        self._stream.seek(start)
        found = bytearray(size)
        try:
            read = self._stream.read(size)
            found[: len(read)] = read
        except OSError as error:
            self.error = self.error or error
        for at, content in self._kept:
            first, last = max(start, at), min(start + size, at + len(content))
            if first < last:
                found[first - start : last - start] = content[first - at : last - at]
        buffer[:size] = found
        self._position += size
        return size

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def truncate(self, size: int | None = None) -> int:
        self._end = self._position if size is None else size
        if self.error is None:
            try:
                self._stream.truncate(self._end)
            except OSError as error:
                self.error = error
        return self._end

    def check(self) -> None:
        """Raise the disk's first error, if there was one."""
        if self.error is not None:
            raise self.error

    def flush(self) -> None:
        """Nothing is held back: the stream below has no buffer."""


@contextmanager
def created(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A new file for the block to fill, and what raises OSError as soon as the disk has refused something; the file gets its
    name when the block ends without an error.

    Raises UserError with one sentence where the disk is full, read-only or the like; nothing is left then.
    """
    import h5py

    with atomic.replacing(path) as temporary, open(temporary, "w+b", buffering=0) as stream:
        sink = _Sink(stream)
        try:
            with h5py.File(sink, "w", libver="latest") as file:
                yield file, sink.check
        finally:
            sink.check()


@contextmanager
def opened(path: Path, what: str = "file") -> Iterator[h5py.File]:
    """A file for the block to read. Raises UserError with one sentence where it cannot be read or its bytes are damaged,
    whatever HDF5 or the block makes of them."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (UserError, KeyboardInterrupt):
        raise
    except FileNotFoundError as error:
        raise UserError(
            f"{what} {path} cannot be read: it does not exist; run the same command again to make it."
        ) from error
    except PermissionError as error:
        raise UserError(f"{what} {path} cannot be read ({error.strerror}); ask for access to it.") from error
    except Exception as error:  # HDF5 and what it hands on raise many types on bytes that are not what was written
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{what} {path} cannot be read, it is damaged or cut short ({said[:200]}); delete it and run the same command "
            "again, which makes it again."
        ) from error
