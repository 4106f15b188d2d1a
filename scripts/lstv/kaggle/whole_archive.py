"""The competition's archive fetched in one piece and unpacked: for storages that give no parts, or to have everything."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from lstv.errors import UserError
from lstv.kaggle import images
from lstv.kaggle.disk import PARTIAL, explained, require_space, write_atomic
from lstv.kaggle.ranged_zip import Member
from lstv.kaggle.remote import RemoteFile
from lstv.kaggle.single_file import download

_NAME = "archive.zip"


def fetch(remote: RemoteFile, series: set[tuple[str, str]] | None, out: Path) -> images.Plan:
    """Fetch the archive, unpack the wanted series (everything for None) into ``out``, then remove the archive.

    Both steps continue where an earlier run was cut. Raises UserError; after a wrong CRC the archive is removed, the good
    files stay.
    """
    archive_path = out / PARTIAL / _NAME
    with explained(out):
        complete = archive_path.is_file() and not (out / PARTIAL / f"{_NAME}.state.json").exists()
        if not (complete and archive_path.stat().st_size == remote.size):
            download(remote, _NAME, out / PARTIAL)
        try:
            with zipfile.ZipFile(archive_path) as archive:
                entries = {entry.orig_filename: entry for entry in archive.infolist() if not entry.is_dir()}
                directory = {name: _member(entry) for name, entry in entries.items()}
                plan = images.plan(directory, series, out, remote.what)
                require_space(out, sum(member.size for member in plan.missing), "unpacking the archive")
                for member in plan.missing:
                    write_atomic(out / member.name, archive.read(entries[member.name]), out / PARTIAL)
        except (zipfile.BadZipFile, zlib.error) as error:
            archive_path.unlink()
            raise UserError(
                f"{remote.what} arrived altered ({error}) and was discarded; the files unpacked so far are kept: run again, "
                "without --whole-archive to fetch only what is missing."
            ) from None
        archive_path.unlink()
    return plan


def _member(entry: zipfile.ZipInfo) -> Member:
    return Member(
        name=entry.orig_filename,
        start=entry.header_offset,
        stop=entry.header_offset + entry.compress_size,
        compressed=entry.compress_size,
        size=entry.file_size,
        crc=entry.CRC,
        method=entry.compress_type,
    )
