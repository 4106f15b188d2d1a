"""The competition's archive fetched in one piece and unpacked: for storages that give no parts, or to have everything."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from lstv.errors import UserError
from lstv.kaggle import images, ranged_zip
from lstv.kaggle.disk import PARTIAL, explained, require_space, write_atomic
from lstv.kaggle.remote import RemoteFile
from lstv.kaggle.single_file import download

_NAME = "archive.zip"


def fetch(remote: RemoteFile, series: set[tuple[str, str]] | None, out: Path, cache: Path) -> images.Plan:
    """Fetch the archive, unpack the wanted series (everything for None) into ``out``, then remove the archive.

    Room for archive and files is checked before anything large is transferred: by the archive's directory, where the storage
    gives that part or ``cache`` has it from an earlier run, else by the archive's size alone (the same again for the files
    if all are wanted). Nothing is transferred if all files are there already. Both steps continue where an earlier run was
    cut. Raises UserError; after a wrong CRC the archive is removed, the good files stay.
    """
    partial = out / PARTIAL
    with explained(out):
        if remote.ranges:
            directory = ranged_zip.read_directory(remote, cache, partial)
        else:
            directory = ranged_zip.cached_directory(remote, cache)
        plan = None if directory is None else images.plan(directory, series, out, remote.what)
        if plan is not None and not plan.missing:
            return plan
        archive = partial / _NAME
        complete = archive.is_file() and not (partial / f"{_NAME}.state.json").exists()
        if not (complete and archive.stat().st_size == remote.size):
            least = remote.size if series is None else 0
            download(remote, _NAME, partial, beside=least if plan is None else _bytes(plan))
        if plan is None:
            directory = ranged_zip.read_directory(_Fetched(archive, remote), cache, partial)
            plan = images.plan(directory, series, out, remote.what)
            require_space(out, _bytes(plan), "unpacking the archive")
        _unpack(archive, plan, out, remote.what)
        archive.unlink()
    return plan


def _bytes(plan: images.Plan) -> int:
    return sum(member.size for member in plan.missing)


def _unpack(path: Path, plan: images.Plan, out: Path, what: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.orig_filename: entry for entry in archive.infolist()}
            for member in plan.missing:
                content = archive.read(entries[member.name])
                if len(content) != member.size or zlib.crc32(content) != member.crc:
                    raise zipfile.BadZipFile(f"{member.name} is not what its directory says")
                write_atomic(out / member.name, content, out / PARTIAL)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        path.unlink()
        raise UserError(
            f"{what} arrived altered ({error}) and was discarded; the files unpacked so far are kept: run again, "
            "without --whole-archive to fetch only what is missing."
        ) from None


@dataclass(frozen=True)
class _Fetched:
    """The archive on disk in the role of the remote one."""

    path: Path
    remote: RemoteFile
    ranges: bool = True

    @property
    def what(self) -> str:
        return self.remote.what

    @property
    def size(self) -> int:
        return self.remote.size

    @property
    def etag(self) -> str | None:
        return self.remote.etag

    def read(self, start: int, stop: int) -> bytes:
        with open(self.path, "rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)
