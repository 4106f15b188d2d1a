"""Zip files: which entries there are, reading the start of one, and unpacking those of a chosen series.

Names of entries are never used as paths: unpacked files are numbered. Sizes are checked before and while unpacking.
"""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lstv.base.errors import StudyError

LARGEST_ENTRY = 1 << 30
"""Bytes of one unpacked file; a single MR image is below 4 MB, an enhanced one rarely above 500 MB."""
LARGEST_SERIES = 8 << 30
"""Bytes of one unpacked series."""
_KEEP_FREE = 1 << 30
_BLOCK = 1 << 20

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What a damaged, encrypted (RuntimeError) or unusually compressed (NotImplementedError) zip file raises."""


def entry_names(path: str) -> tuple[list[str], int]:
    """(names of the readable entries, number of password-protected ones). Raises one of ``ZIP_ERRORS``.

    A name that appears twice is one entry, the last, as with every zip program.
    """
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
    return sorted({info.filename for info in files if not info.flag_bits & 1}), sum(i.flag_bits & 1 for i in files)


class EntryReader:
    """Opens entries for reading from their start; no more is unpacked than is read, so a size bomb costs nothing here."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def open(self, name: str) -> IO[bytes]:
        """Entry ``name`` as a stream. It and what is done with it raise one of ``ZIP_ERRORS``."""
        return self._archive.open(name)


@contextmanager
def opened(path: str) -> Iterator[EntryReader]:
    """A reader of the zip file at ``path``. Raises one of ``ZIP_ERRORS``."""
    with zipfile.ZipFile(path) as archive:
        yield EntryReader(archive)


def unpack(entries: Iterable[tuple[str, str]], folder: Path) -> list[Path]:
    """Unpack (zip file, entry) pairs to ``folder``/000001.dcm ... in the order given; the folder appears when complete.

    Raises StudyError where an entry is damaged, too large or the disk too full; nothing is left then.
    """
    entries = list(entries)
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o700)
    try:
        _unpack(entries, temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [folder / _name(number) for number in range(1, len(entries) + 1)]


def _name(number: int) -> str:
    return f"{number:06d}.dcm"


def _unpack(entries: list[tuple[str, str]], folder: Path) -> None:
    archives: dict[str, zipfile.ZipFile] = {}
    try:
        for path in dict.fromkeys(path for path, _ in entries):
            archives[path] = zipfile.ZipFile(path)
        infos = [archives[path].getinfo(name) for path, name in entries]
        declared = sum(info.file_size for info in infos)
        if declared > LARGEST_SERIES or any(info.file_size > LARGEST_ENTRY for info in infos):
            raise StudyError(
                f"the series would take {declared / 2**30:.1f} GiB unpacked from its zip file, more than is plausible for "
                "one MR series; unpack it by hand if it is genuine."
            )
        disk = shutil.disk_usage(folder)
        free = disk.free
        # some file systems (FUSE) state no size at all; there a full disk speaks for itself
        if disk.total > 0 and declared + _KEEP_FREE > free:
            raise StudyError(
                f"unpacking the series from its zip file needs {declared / 2**20:.0f} MiB and 1024 MiB to spare, "
                f"only {free / 2**20:.0f} MiB are free; make room and scan again."
            )
        for number, ((path, _), info) in enumerate(zip(entries, infos), start=1):
            with archives[path].open(info) as entry, open(folder / _name(number), "xb") as target:
                shutil.copyfileobj(entry, target, _BLOCK)  # ends at the declared size and checks the CRC
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StudyError(
                "the series could not be unpacked from its zip file: no space left on the disk; make room and scan again."
            ) from error
        raise StudyError(
            f"the series could not be unpacked from its zip file ({error.strerror}); check disk and permissions, scan again."
        ) from error
    except (*ZIP_ERRORS, KeyError) as error:
        raise StudyError(
            # not the error's own words: they name the entry, whose path often names the patient
            f"the series could not be unpacked from its zip file ({type(error).__name__}: damaged, encrypted or changed "
            "since the scan); unpack the zip file by hand or export again."
        ) from error
    finally:
        for archive in archives.values():
            archive.close()
