"""The competition's archive fetched in one piece and unpacked: for storages that give no parts, or to have everything."""

from __future__ import annotations

import errno
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from lstv.base.errors import Setting, UserError
from lstv.base.progress import Progress
from lstv_kaggle import images, ranged_zip
from lstv_kaggle.disk import PARTIAL, require_space, write_atomic
from lstv_kaggle.ranged_zip import ZIP_ERRORS, BadArchive
from lstv_kaggle.remote import RemoteFile
from lstv_kaggle.single_file import download

WHOLE_ARCHIVE = Setting("whole_archive", "the whole archive")

NAME = "archive.zip"


def fetch(remote: RemoteFile, series: set[tuple[str, str]] | None, out: Path, cache: Path) -> images.Plan:
    """Fetch the archive, unpack the wanted series (everything for None) into ``out``, then remove the archive.

    Room for archive and files is checked before anything large is transferred: by the archive's directory, where the storage
    gives that part or ``cache`` has it from an earlier run, else by the archive's size alone (the same again for the files
    if all are wanted). By that directory it is also known, and nothing transferred, if all files are present. Both
    steps continue where an earlier run was cut. Raises UserError, and OSError where the disk refuses; an archive that
    arrived altered is removed with ``cache``, the good files stay.
    """
    partial = out / PARTIAL
    archive = partial / NAME
    plan = _plan_ahead(remote, series, out, cache)
    if plan is not None and not plan.missing:
        return plan
    complete = archive.is_file() and not (partial / f"{NAME}.state.json").exists()
    if not (complete and archive.stat().st_size == remote.size):
        least = remote.size if series is None else 0
        download(remote, NAME, partial, beside=least if plan is None else _bytes(plan))
    try:
        plan = _unpack(_Fetched(archive, remote.what, remote.size, remote.etag), series, out, cache)
    except (BadArchive, *ZIP_ERRORS) as error:
        archive.unlink()
        cache.unlink(missing_ok=True)
        rest = (", without ", WHOLE_ARCHIVE, " to fetch only what is missing") if remote.ranges else ()
        raise UserError(
            f"{remote.what} arrived altered ({error}) and was discarded; the files unpacked so far are kept: run again",
            *rest,
            ".",
        ) from None
    archive.unlink()
    return plan


def _plan_ahead(remote: RemoteFile, series: set[tuple[str, str]] | None, out: Path, cache: Path) -> images.Plan | None:
    """What there is to do, as far as it can be known before the archive is here."""
    if remote.ranges:
        directory = ranged_zip.read_directory(remote, cache, out / PARTIAL)
    else:
        cached = ranged_zip.cached_directory(remote, cache)
        if cached is None:
            return None
        directory = cached
    return images.plan(directory, series, out, remote.what)


def _bytes(plan: images.Plan) -> int:
    return sum(entry.size for entry in plan.missing)


def _unpack(fetched: _Fetched, series: set[tuple[str, str]] | None, out: Path, cache: Path) -> images.Plan:
    """Unpack by the directory that came with the archive, and keep that: its entries are checked by their CRC."""
    cache.unlink(missing_ok=True)
    directory = ranged_zip.read_directory(fetched, cache, out / PARTIAL)
    plan = images.plan(directory, series, out, fetched.what)
    require_space(out, _bytes(plan), "unpacking the archive")
    with (
        zipfile.ZipFile(fetched.path) as archive,
        Progress(_bytes(plan), "bytes", label=f"unpacking {len(plan.missing):,} files", stream=sys.stderr) as shown,
    ):
        by_name = {entry.orig_filename: entry for entry in archive.infolist()}
        for entry in plan.missing:
            content = _read(archive, by_name[entry.name])
            if len(content) != entry.size or zlib.crc32(content) != entry.crc:
                raise zipfile.BadZipFile(f"{entry.name} is not what its directory says")
            write_atomic(out / entry.name, content, out / PARTIAL)
            shown.add(len(content))
    return plan


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place in front of the file's beginning
            raise zipfile.BadZipFile(f"{entry.orig_filename} lies nowhere") from None
        raise


@dataclass(frozen=True)
class _Fetched:
    """The archive on disk in the role of the remote one, as far as reading its directory asks for it."""

    path: Path
    what: str
    size: int
    etag: str | None
    ranges: bool = True

    def read(self, start: int, stop: int) -> bytes:
        with open(self.path, "rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)
