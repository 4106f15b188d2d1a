"""One remote file, fetched whole: resumed where it was cut, checked, unwrapped."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

from lstv.base.checksums import file_digest
from lstv.base.errors import UserError
from lstv.base.progress import Progress
from lstv_kaggle.disk import explained, require_space
from lstv_kaggle.ranged_zip import ZIP_ERRORS
from lstv_kaggle.remote import NotContinued, RemoteFile


def download(remote: RemoteFile, name: str, partial: Path, *, beside: int = 0) -> Path:
    """Fetch into ``partial/name`` and return that path; a cut file there is continued if it is of the same version.

    ``beside``: bytes for which there must be room too, because they are written next.
    The result has the size that the server announced, and its MD5 if the server told one. A file that the server has
    packed into a zip of that one file is unpacked. Raises UserError; what was fetched is kept unless it is wrong.
    """
    part, state = partial / name, partial / f"{name}.state.json"
    with explained(partial):
        partial.mkdir(parents=True, exist_ok=True)
        offset = _resumable(remote, part, state)
        require_space(partial, remote.size - offset + beside, f"{name}, unpacked," if beside else name)
        state.write_text(json.dumps({"size": remote.size, "etag": remote.etag}), encoding="utf-8")
        with Progress(remote.size, "bytes", label=name, stream=sys.stderr) as shown:
            shown.add(offset)
            with open(part, "r+b" if offset else "wb") as stream:
                stream.seek(offset)
                stream.truncate()
                _receive(remote, stream, shown)
                stream.flush()
                os.fsync(stream.fileno())
        state.unlink()
        if remote.md5 and file_digest(part, "md5") != remote.md5:
            part.unlink()
            raise UserError(
                f"{remote.what} arrived altered (its MD5 is not the server's); it was discarded: run again."
            )
        _refuse_web_page(remote, part)
        return _unwrapped(part, name)


def _receive(remote: RemoteFile, stream: BinaryIO, shown: Progress) -> None:
    """Write the rest of the file; from its beginning again where a storage that gives no parts was cut."""
    for again in range(remote.retries + 1):
        try:
            for chunk in remote.stream(stream.tell(), remote.size):
                stream.write(chunk)
                shown.add(len(chunk))
            return
        except NotContinued:
            if again == remote.retries:
                raise
            shown.add(-stream.tell())
            stream.seek(0)
            stream.truncate()


def _resumable(remote: RemoteFile, part: Path, state: Path) -> int:
    """Bytes of the unfinished file that are kept: all of them if it is certain to be of this version, else none."""
    try:
        known = json.loads(state.read_text(encoding="utf-8"))
        length = part.stat().st_size
    except (OSError, ValueError, RecursionError):
        return 0
    same = remote.etag is not None and known == {"size": remote.size, "etag": remote.etag}
    return length if same and remote.ranges and length <= remote.size else 0


def _refuse_web_page(remote: RemoteFile, part: Path) -> None:
    with open(part, "rb") as stream:
        beginning = stream.read(512).lstrip().lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml")):
        part.unlink()
        raise UserError(
            f"a web page came instead of {remote.what}; log in to the network or correct the proxy, then run again."
        )


def _unwrapped(part: Path, name: str) -> Path:
    """The file itself where the server sent it as a zip of one file; a checkpoint is a zip too, but of other names."""
    if not zipfile.is_zipfile(part):
        return part
    try:
        with zipfile.ZipFile(part) as archive:
            if archive.namelist() != [name]:
                return part
            inner = part.with_name(f"{name}.unwrapped")
            with archive.open(name) as source, open(inner, "wb") as target:
                for chunk in iter(lambda: source.read(1 << 20), b""):
                    target.write(chunk)
    except ZIP_ERRORS:
        part.unlink()
        raise UserError(f"{name} arrived altered (its CRC is wrong); it was discarded: run again.") from None
    os.replace(inner, part)
    return part
