"""Disk space, atomic writes, and plain words for what a disk refuses."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lstv.base.atomic import synchronize
from lstv.base.errors import UserError
from lstv.base.text import readable_bytes

PARTIAL = ".partial"
"""Folder for unfinished files, beside the finished ones: readers of a series folder never meet one."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise UserError unless the disk of ``folder`` has ``needed`` bytes free; the folder need not exist yet."""
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    usage = shutil.disk_usage(existing)
    free = usage.free
    if (
        usage.total and free < needed
    ):  # a file system that says 0 of everything does not know; a full disk speaks for itself
        raise UserError(
            f"{what} needs {readable_bytes(needed)} in {folder}, but only {readable_bytes(free)} are free; make room or "
            "choose another folder, then run again."
        )


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn a full, write-protected or failing disk into a UserError that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(
                f"the disk of {folder} is full; what was fetched is kept: make room and run again to continue."
            ) from error
        if error.errno in _REFUSED:
            raise UserError(
                f"{error.filename or folder} cannot be written ({error.strerror}); choose a folder that you can write to "
                "(in a container: one that is bound writable)."
            ) from error
        if error.errno is None:
            raise  # no disk's: the network's errors are OSErrors too
        limit = ", which some disks have at 4 GB a file" if error.errno == errno.EFBIG else ""
        raise UserError(
            f"{error.filename or folder} cannot be used ({error.strerror}{limit}); what was fetched is kept: make sure that "
            "the disk works, then run again."
        ) from error


def write_atomic(path: Path, data: bytes, partial: Path) -> None:
    """Write a file by way of ``partial``, a folder on the same disk, so that ``path`` is never half a file."""
    partial.mkdir(parents=True, exist_ok=True)
    temporary = partial / f"{os.getpid()}-{threading.get_ident()}"
    try:
        temporary.write_bytes(data)
        synchronize(temporary)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
