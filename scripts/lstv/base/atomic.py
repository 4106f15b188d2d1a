"""Files and folders that are either the old ones or complete: a temporary name beside the target, then a rename.

The one place where the project writes. What is finished is on the disk before it gets its name (fsync), so that a power cut
loses no file whose name is there; what a killed process left is removed by the next one that writes the same target.
"""

from __future__ import annotations

import csv
import errno
import functools
import io
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
DISK = (*_FULL, errno.EROFS, errno.EIO, errno.EFBIG)
"""What only a disk says."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that spreadsheets take for a formula; the last four are the wide forms of the first."""


def disk_problem(path: str | os.PathLike[str], error: OSError) -> str:
    """One sentence on what a disk refused, with the fix."""
    if error.errno in _FULL:
        what = "the quota is used up" if error.errno == errno.EDQUOT else "no space or no free inodes left on its disk"
        return f"{path} cannot be written: {what}; make room and run the same command again."
    if error.errno in _REFUSED:
        return (
            f"{path} cannot be written ({error.strerror}); name a place that you can write to (in a container: one that is "
            "bound writable)."
        )
    if error.errno == errno.ENAMETOOLONG:
        return f"{path} cannot be written: its name is longer than the file system allows; choose a shorter one."
    return f"{path} cannot be written ({error.strerror or error}); look at its disk, then run the same command again."


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the disk refuses in the block into a UserError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise UserError(disk_problem(path, error)) from error


def temporary_name(path: Path) -> Path:
    """The temporary name of a target, beside it, with host and process: by them a dead writer's is told from a living one's.

    It is short whatever the target's name, so that every name that a file can have can be written.
    """
    return path.with_name(f".{path.name[:60]}.{_HOST}@{os.getpid()}.tmp")


def _host() -> str:
    """This machine, and the namespace of its process numbers: two containers on it may each have a process 11."""
    name = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
    try:
        return f"{name}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return name


_HOST = _host()
_LEFTOVER = re.compile(r"\..+\.(?:(?P<host>[A-Za-z0-9-]*)@)?(?P<process>\d+)\.tmp")
_ABANDONED = 3600.0
"""Seconds after which a temporary file that nobody has written to is nobody's, whatever its process is called."""


@functools.lru_cache(maxsize=64)
def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders in ``folder`` whose writers have ended: looked for once in a process, because a
    folder may hold a file of each of 100,000 studies."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _LEFTOVER.fullmatch(entry.name)
            if found and _is_abandoned(entry, found["host"], int(found["process"])):
                remove(Path(entry.path))


def _is_abandoned(entry: os.DirEntry[str], host: str | None, process: int) -> bool:
    if host in (_HOST, None) and not _is_alive(process):
        return True
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED
    except OSError:
        return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # another user's
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` for the block to write, a file or a folder; it takes the name of ``path`` when the
    block ends without an error, and is on the disk then. Otherwise nothing is left of it.

    Raises UserError with one sentence where the disk is full, read-only or the like.
    """
    path = Path(path)
    temporary = temporary_name(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        remove(temporary)  # of an earlier process of this number
    try:
        try:
            yield temporary
        except OSError as error:
            if error.errno not in DISK and error.filename != str(temporary):
                raise  # not of this file
            raise UserError(disk_problem(path, error)) from error
        with explained(path):
            synchronize(temporary)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            os.replace(temporary, path)
            synchronize(path.parent)
    finally:
        remove(temporary)


def synchronize(path: Path) -> None:
    """Wait until a file (of a folder: its names) is on the disk; file systems that cannot say so are believed."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (*_FULL, errno.EIO):
            raise
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file; ``mode`` are its permissions where they are not the usual ones, from the first byte on."""
    with replacing(path) as temporary:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(temporary, flags, 0o666 if mode is None else mode), "wb") as stream:
            stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends it has; what UTF-8 cannot hold is written with a backslash."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write strict JSON. Raises ValueError for NaN and infinity, which JSON does not have."""
    write_text(path, json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; null becomes an empty cell, and text that a spreadsheet would take for a formula is made harmless.
    Raises ValueError for a key that is not a column."""
    write_text(path, csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """What ``write_csv`` writes."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def harmless(value: Any) -> Any:
    """A cell's value; of text that spreadsheets take for a formula, the text with an apostrophe before it (OWASP, CSV
    injection). Numbers stay what they are, also where they are text such as ``-1.5``."""
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def original(value: str) -> str:
    """A cell's text as it was before ``harmless``."""
    return value[1:] if value.startswith("'") and harmless(value[1:]) == value else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
